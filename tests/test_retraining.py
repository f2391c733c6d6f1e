"""Training again and again, as cron does: what is promoted, what is left alone, and what is written of it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow
import pytest
from typer.testing import CliRunner

from features.contract import CONTRACT, FeatureContract
from features.errors import NotEnoughData, RegistryError
from features.history import History
from features.home import Home
from holdfast import learning
from holdfast.app import app
from holdfast.locking import alone
from models.bundle import load
from models.manifest import manifest_of
from serving.bundle import fetch
from tests.making import AS_OF
from training import pipeline, registry
from training.comparison import Champion, comparison
from training.pipeline import Trained

Made = tuple[Home, History, list[dict[str, Any]], Trained]
HOLD = """
import sys
from pathlib import Path
from features.home import Home
from holdfast.locking import alone
folder = Path(sys.argv[1])
with alone(Home(folder, folder, "", "live")):
    print("held", flush=True)
    sys.stdin.read()
"""


def quiet(name: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def twice(trained: tuple[Home, History, Any], tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A home of its own in which was trained a fortnight before the history's end, and at its end."""
    place = replace(trained[0], folder=tmp_path_factory.mktemp("twice"))
    now = trained[1].newest() or AS_OF
    kept: list[Trained] = []
    fit_all = pipeline.train
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "train", lambda *given, **more: kept.append(fit_all(*given, **more)) or kept[-1])
        moments = (now - timedelta(days=15), now)
        made = [learning.make_bundle(place, trained[1], moment, 7, 1, quiet) for moment in moments]
    return place, trained[1], made, kept[-1]


@pytest.fixture
def again(twice: Made, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Train once more at no cost, with a manifest changed; the champion is put back afterwards."""
    place, history, _, last = twice
    before = registry.champion(place)

    def train(**changed: Any) -> dict[str, Any]:
        monkeypatch.setattr(pipeline, "train", lambda *_, **__: replace(last, manifest=last.manifest | changed))
        return learning.make_bundle(place, history, AS_OF, 7, 1, quiet)

    yield train
    registry.promote(place, str(before.version), why="as it was")


def run_of(place: Home, version: str) -> Any:
    client = mlflow.MlflowClient(place.tracking_uri)
    return client.get_run(client.get_model_version(registry.MODEL, version).run_id)


def written(place: Home, version: str, name: str) -> str:
    uri = run_of(place, version).info.artifact_uri
    return Path(mlflow.artifacts.download_artifacts(f"{uri}/{name}")).read_text(encoding="utf-8")


def test_two_trainings_in_a_row_end_with_the_better_in_charge(twice: Made):
    place, _, made, _ = twice
    better = made[1]["grade"] <= made[0]["grade"]
    assert [one["promoted"] for one in made] == [True, better]
    assert registry.champion(place).version == (2 if better else 1)


def test_the_runs_of_two_trainings_can_be_compared_name_by_name(twice: Made):
    place, _, made, _ = twice
    one, other = (run_of(place, version) for version in "12")
    assert set(one.data.params) == set(other.data.params)
    assert set(one.data.metrics) == set(other.data.metrics)
    for told in ("churn_candidate", "value_candidate", "features", "tuned", "cutoff_of_test", "horizon_days", "seed"):
        assert one.data.params[told]
    for part in ("", "/low", "/high", "/best baseline", "/gain", "/gain low", "/gain high"):
        assert f"churn/AUC{part}" in one.data.metrics
    figure = next(figure for figure in made[1]["figures"] if figure["metric"] == "AUC")
    assert other.data.metrics["churn/AUC/gain low"] == figure["gain_low"]
    assert [run.info.run_name for run in (one, other)] == [
        f"version {version}, as of {told['as_of'][:10]}" for version, told in zip("12", made, strict=True)
    ]
    assert other.data.tags["mlflow.source.git.commit"] == made[1]["git_commit"]
    assert other.data.tags["mlflow.note.content"].startswith(f"Grade {made[1]['grade']}\n\n- ")


def test_a_second_training_is_written_beside_the_champion_in_words(twice: Made):
    place, _, made, _ = twice
    assert written(place, "1", "comparison.md") == (
        "# Beside the champion\n\nThere was no champion that could be read when this bundle was registered.\n"
    )
    text = written(place, "2", "comparison.md")
    assert text.startswith(
        "# Beside the champion, version 1\n\n## Which is better\n\nOn the same customers, in 14 days"
    )
    assert re.search(r"- Churn: (surely better|surely worse|not to be told apart)\. AUC is 0\.\d+ against 0\.\d+", text)
    assert re.search(
        r"\| Value: normalised Gini \| [\d.]+ \| [\d.]+ \| [+-][\d.]+ \| [+-][\d.]+ to [+-][\d.]+ \|", text
    )
    assert "Neither has seen the window" in text
    assert f"| known by | {made[0]['as_of'][:10]} | {made[1]['as_of'][:10]} |" in text
    assert f"The same {len(CONTRACT.names)} features, measured the same." in text
    assert "## Each on its own test window" in text
    assert "nan" not in text


def test_a_worse_grade_is_registered_and_not_promoted(twice: Made, again):
    place, before = twice[0], registry.champion(twice[0]).version
    made = again(grade="C", grade_reasons=["A rule is better."])
    assert not made["promoted"]
    assert f"as the champion (version {before}) has; found C" in made["why"]
    assert registry.champion(place).version == before
    assert run_of(place, made["version"]).data.tags["promoted"] == "no"


def test_an_equal_grade_is_promoted_and_both_runs_say_so(twice: Made, again):
    place, before = twice[0], registry.champion(twice[0])
    made = again(grade=before.tags["grade"])
    assert made["promoted"]
    assert str(registry.champion(place).version) == made["version"]
    assert run_of(place, made["version"]).data.tags["promoted"] == "yes"
    assert run_of(place, before.version).data.tags["promoted"] == f"yes, until version {made['version']}"


def test_a_training_that_fails_leaves_the_champion(twice: Made, again, monkeypatch: pytest.MonkeyPatch):
    place, history, _, _ = twice
    before = registry.champion(place).version, len(registry.versions(place))

    def short(*_: Any, **__: Any) -> Trained:
        raise NotEnoughData("expected more")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "train", short)
        with pytest.raises(NotEnoughData):
            learning.make_bundle(place, history, AS_OF, 7, 1, quiet)
    with monkeypatch.context() as patch:
        patch.setattr(mlflow, "log_artifacts", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            again(grade="A")
    assert (registry.champion(place).version, len(registry.versions(place))) == before
    assert again(grade="A")["promoted"]


def test_two_trainings_at_once_are_refused_with_who_is_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], **pipes) as other:
        assert other.stdout.readline() == "held\n"
        done = CliRunner().invoke(app, ["train"])
        assert isinstance(done.exception, RegistryError)
        assert str(done.exception) == (
            f"expected no other training in {tmp_path}, found process {other.pid} at it; wait until it has ended"
        )
        other.kill()
    # A training that was killed bars none.
    with alone(Home(tmp_path, tmp_path, "", "live")):
        pass
    done = CliRunner().invoke(app, ["train"])
    assert isinstance(done.exception, NotEnoughData)


def test_a_champion_on_other_features_is_told_of_and_not_asked(twice: Made):
    place, _, _, last = twice
    manifest = manifest_of(fetch(place, "1")[0])
    names, units, hashes = CONTRACT.names, CONTRACT.units, CONTRACT.hashes
    older = FeatureContract((*names[2:], "mood"), (*units[2:], "share"), ("odd", *hashes[3:], "new"), CONTRACT.items)
    text = comparison(last, Champion("1", manifest | {"contract": older.as_dict()}, None))
    assert "Version 1 was trained on other features, which the code no longer computes" in text
    assert f"{len(names)} features, where there were {len(names) - 1}." in text
    assert f"- Added: {names[0]}, {names[1]}.\n- Dropped: mood.\n- Measured anew: {names[2]}." in text


def test_a_champion_with_another_question_is_not_compared(twice: Made):
    place, _, _, last = twice
    bundle = load(*fetch(place, "1"))
    other = bundle.manifest | {"horizon": bundle.manifest["horizon"] | {"days": 365}}
    text = comparison(last, Champion("1", other, bundle.models))
    assert (
        "They answer different questions and can't be compared: this bundle churn by silence and revenue over 14 days,"
        " version 1 churn by silence and revenue over 365 days." in text
    )
    assert "| horizon | 365 days | 14 days |" in text


@pytest.mark.parametrize("gained", [True, False])
def test_a_cost_that_one_of_them_lacks_is_told_as_none(twice: Made, gained: bool):
    place, _, _, last = twice
    bundle = load(*fetch(place, "1"))
    costly = {"chosen": last.manifest["chosen"] | {"cost_to_serve": {"candidate": "mean", "level": "learned"}}}
    mine, theirs = (costly, {}) if gained else ({}, costly)
    trained = replace(last, manifest=last.manifest | mine)
    text = comparison(trained, Champion("1", bundle.manifest | theirs, bundle.models))
    told = "| none | mean |" if gained else "| mean | none |"
    assert f"| cost_to_serve candidate {told}" in text


def test_a_champion_that_only_ranks_is_not_compared(twice: Made):
    place, _, _, last = twice
    bundle = load(*fetch(place, "1"))
    ranking = bundle.manifest | {"ranks_only": {"churn": "nobody left"}}
    text = comparison(last, Champion("1", ranking, bundle.models))
    assert "One of them gives ranks only of churn, so there is nothing that both say of the same customers." in text


def test_a_champion_that_has_seen_the_window_is_said_to_be_flattered(twice: Made):
    place, _, _, last = twice
    bundle = load(*fetch(place, "1"))
    seen = bundle.manifest | {"as_of": last.manifest["as_of"]}
    text = comparison(last, Champion("1", seen, bundle.models))
    assert "Not fair: version 1 learned up to" in text
    assert "Neither has seen the window" not in text
