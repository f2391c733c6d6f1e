"""What a challenger would have decided: the table of it, how it is made, and how the two are compared."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from features.errors import StoreError
from features.history import History
from features.home import Home
from features.shadows import Shadow
from holdfast.app import app
from models.bundle import load
from serving import opening
from serving.bundle import CHALLENGER
from serving.desk import Desk
from serving.repeating import Outlived
from serving.replay import Replayer
from serving.requests import Ask
from serving.scorer import Scorer
from serving.shadow_writer import ShadowWriter
from serving.shadowing import Shadowing
from serving.shelf import Pick, Said, Shelf
from tests.making import AS_OF, BOTH, log
from tests.variants import Variants
from training.challenging import Beside, judged, mean_of

ENGINES = BOTH


def shadow(decision: str, bundle: str = "b", **body: Any) -> Shadow:
    return Shadow(decision, bundle, AS_OF, body)


def test_a_shadow_is_kept_once_and_only_beside_a_decision_that_is_there(history: History) -> None:
    for number in range(4):
        log(history, f"d-{number}", "customer:a", AS_OF, f'{{"n": {number}}}')
    shadows = history.shadows
    assert shadows.last("b") is None
    assert shadows.write([shadow("d-1", n=1), shadow("d-gone"), shadow("d-2", n=2)]) == 2
    assert shadows.write([shadow("d-1", n=9), shadow("d-1", "other", n=3)]) == 1
    assert list(shadows.beside("b")) == [({"n": 1}, {"n": 1}), ({"n": 2}, {"n": 2})]
    assert [decision for _, decision in shadows.undone("b", 0, 9)] == ["d-0", "d-3"]
    assert [decision for _, decision in shadows.undone("b", 0, 1)] == ["d-0"]
    assert shadows.undone("b", shadows.newest(), 9) == []
    assert (shadows.passed("b"), shadows.passed("nobody")) == (2, 0)
    assert shadows.last("b") == shadows.undone("b", 0, 9)[1][0] - 1


@pytest.fixture(scope="module")
def variants(trained: tuple[Home, History, Any], tmp_path_factory: pytest.TempPathFactory) -> Variants:
    made = Variants(trained, tmp_path_factory.mktemp("variants") / "home")
    made.reset()
    opening.choose(made.place)
    return made


@pytest.fixture
def desk(variants: Variants) -> Iterator[Desk]:
    opened = opening.open_last(variants.place)
    yield opened
    opened.history.close()


def scorer(variants: Variants, version: str) -> Scorer:
    return Scorer(load(variants.folder(version), version))


def decided(desk: Desk, count: int) -> list[dict[str, Any]]:
    known = desk.history.known_by(desk.clock()).events["customer"].unique().sort().to_list()
    return [desk.decide(Ask(customer=one, channel="phone", offers=2)) for one in known[:count]]


def test_a_challenger_decides_on_the_same_customer_moment_and_row_and_holds_nothing(
    desk: Desk, variants: Variants
) -> None:
    shadowing = Shadowing(desk.history, scorer(variants, "2"))
    assert shadowing.step() == []
    made = decided(desk, 5)
    held = desk.history.counts()
    told = {one.decision: one for one in shadowing.step()}
    assert list(told) == [one["decision_id"] for one in made]
    for body in made:
        beside = told[body["decision_id"]]
        assert (beside.bundle, beside.made_at.isoformat()) == (variants.hash("2"), body["as_of"])
        assert beside.body["scores"]["expected_value"] == body["scores"]["expected_value"]
        assert body["customer"] not in json.dumps(dict(beside.body))
        if body["scores"]["churn_risk"] is not None:
            assert beside.body["scores"]["churn_risk"] > body["scores"]["churn_risk"]
    assert (desk.history.counts(), shadowing.step()) == (held, [])
    desk.history.shadows.write(told.values())
    again = Shadowing(desk.history, scorer(variants, "2"))
    assert again.step() == []
    (more,) = decided(desk, 1)
    assert [one.decision for one in again.step()] == [more["decision_id"]]


def test_the_champion_in_its_own_shadow_says_what_it_said(desk: Desk, variants: Variants) -> None:
    shadowing = Shadowing(desk.history, scorer(variants, "1"))
    made = decided(desk, 3)
    for body, beside in zip(made, shadowing.step(), strict=True):
        assert [one["offer"] for one in body["offers"]] == [one["offer"] for one in beside.body["offers"]]
        assert all(body["scores"][name] == score for name, score in beside.body["scores"].items())


def test_who_falls_behind_leaves_out_and_who_cannot_decide_counts(desk: Desk, variants: Variants) -> None:
    shadowing = Shadowing(desk.history, scorer(variants, "3"), most_behind=2)
    decided(desk, 3)
    assert shadowing.step() == []
    log(desk.history, "d-odd", "customer:a", desk.clock(), '{"inputs": {"format": 3}}')
    (last,) = decided(desk, 1)
    assert [one.decision for one in shadowing.step()] == [last["decision_id"]]
    assert vars_of(shadowing) == (1, 3, 1)


def test_a_decision_that_cannot_be_made_again_for_any_reason_keeps_none_after_it_from_being_shadowed(
    desk: Desk, variants: Variants, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadowing = Shadowing(desk.history, scorer(variants, "3"))
    odd, good = decided(desk, 2)
    replay = Replayer.replay

    def replayed(self: Replayer, decision: str) -> Any:
        if decision == odd["decision_id"]:
            raise AttributeError("none")
        return replay(self, decision)

    monkeypatch.setattr(Replayer, "replay", replayed)
    assert good["decision_id"] in [one.decision for one in shadowing.step()]
    assert vars_of(shadowing)[2] == 1


def vars_of(shadowing: Shadowing) -> tuple[int, int, int]:
    counts = shadowing.counts
    return counts.shadowed, counts.left_out, counts.failed


class FakeChild:
    """A challenger's process that says what it is given, and lives until it is ended."""

    made: ClassVar[list["FakeChild"]] = []
    lines: ClassVar[list[bytes]] = []

    def __init__(self, *given: str, tells: bool) -> None:
        self.given, self.alive = given, tells
        FakeChild.made.append(self)

    def told(self) -> list[bytes]:
        return self.lines

    def lives(self) -> bool:
        return self.alive

    def end(self) -> None:
        self.alive = False


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[FakeChild]:
    monkeypatch.setattr("serving.shadow_writer.Child", FakeChild)
    monkeypatch.setattr(FakeChild, "made", [])
    return FakeChild.made


def test_a_challengers_process_comes_and_goes_with_the_alias(children: list[FakeChild], variants: Variants) -> None:
    now = [0.0]
    writer = ShadowWriter(Shelf.of(variants.place), variants.place.database_url, lambda: now[0])
    champion, challenger = Pick("1", "a"), Pick("2", "b")
    writer.follow(Said(champion=champion))
    writer.follow(Said(champion=champion, challenger=champion))
    writer.follow(Said(champion=champion, challenger=Pick("2", "b", fault="damaged")))
    assert children == []
    for _ in range(2):
        writer.follow(Said(champion=champion, challenger=challenger))
    assert [one.given for one in children] == [("serving.shadowing", "2", "b")]
    children[0].alive = False
    writer.follow(Said(champion=champion, challenger=challenger))
    assert len(children) == 1
    now[0] = 60.0
    writer.follow(Said(champion=champion, challenger=challenger))
    assert len(children) == 2
    writer.follow(Said(champion=champion))
    assert not children[1].alive


def test_what_a_challenger_tells_is_written_and_what_cannot_be_is_dropped_and_counted(
    children: list[FakeChild], new_url: Callable[[], str], variants: Variants, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, shelf = new_url(), Shelf.of(variants.place)
    history = History(url)
    log(history, "d-1", "customer:a", AS_OF, "{}")
    told = {"decision": "d-1", "bundle": "b", "made_at": AS_OF.isoformat(), "body": {"n": 1}}
    line = json.dumps({"counts": {"shadowed": 1}, "shadows": [told]}).encode()
    monkeypatch.setattr(FakeChild, "lines", [line] * 25)
    writer = ShadowWriter(shelf, url)
    writer.follow(Said(challenger=Pick("2", "b")))
    writer.listener.join()
    writer.write()
    assert list(history.shadows.beside("b")) == [({}, {"n": 1})]
    assert shelf.counted() == {"version": "2", "hash": "b", "shadowed": 1, "dropped": 5}

    def full(*_: object) -> None:
        raise StoreError("expected room, found none")

    monkeypatch.setattr("features.shadows.Shadows.write", full)
    writer.follow(Said())
    writer.follow(Said(challenger=Pick("2", "b")))
    writer.listener.join()
    writer.write()
    assert shelf.counted()["dropped"] == 25
    writer.follow(Said())
    history.close()


def told_of(decision: str) -> bytes:
    made = {"decision": decision, "bundle": "b", "made_at": AS_OF.isoformat(), "body": {"n": 1}}
    return json.dumps({"counts": {"shadowed": 1}, "shadows": [made]}).encode()


def test_counts_that_a_full_disk_does_not_take_end_nothing(
    children: list[FakeChild], new_url: Callable[[], str], variants: Variants, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    url, shelf = new_url(), Shelf.of(variants.place)
    history = History(url)
    for decision in ("d-1", "d-2"):
        log(history, decision, "customer:a", AS_OF, "{}")
    monkeypatch.setattr(FakeChild, "lines", [told_of("d-1"), told_of("d-2")])
    writer = ShadowWriter(shelf, url)
    writer.follow(Said(challenger=Pick("2", "b")))
    writer.listener.join()
    with monkeypatch.context() as patched:
        patched.setattr("serving.shelf.Shelf._write", full)
        writer.write()
    assert [record.getMessage() for record in caplog.records] == ["shadows_uncounted"]
    assert len(list(history.shadows.beside("b"))) == 2
    writer.follow(Said())
    history.close()


def test_words_that_are_not_a_challengers_own_do_not_keep_the_next_from_being_heard(
    children: list[FakeChild], new_url: Callable[[], str], variants: Variants, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_url()
    history = History(url)
    log(history, "d-1", "customer:a", AS_OF, "{}")
    monkeypatch.setattr(FakeChild, "lines", [b"A library says hello", b"{}", told_of("d-1")])
    writer = ShadowWriter(Shelf.of(variants.place), url)
    writer.follow(Said(challenger=Pick("2", "b")))
    writer.listener.join()
    for _ in range(2):
        with Outlived("shadows"):
            writer.write()
    assert list(history.shadows.beside("b")) == [({}, {"n": 1})]
    writer.follow(Said())
    history.close()


def test_a_challenger_that_could_not_be_started_is_tried_again(
    children: list[FakeChild], variants: Variants, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    now, said = [0.0], Said(challenger=Pick("2", "b"))
    writer = ShadowWriter(Shelf.of(variants.place), variants.place.database_url, lambda: now[0])
    with monkeypatch.context() as patched:
        patched.setattr("serving.shadow_writer.Child", refused)
        with pytest.raises(OSError, match="unavailable"):
            writer.follow(said)
    writer.follow(said)
    assert children == []
    now[0] = 60.0
    writer.follow(said)
    assert len(children) == 1
    writer.follow(Said())


def test_the_command_compares_the_two_and_says_how_to_begin(
    desk: Desk, variants: Variants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_HOME", str(variants.place.folder))
    monkeypatch.setenv("HOLDFAST_PLAYBOOK", str(variants.place.playbook))

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        return " ".join(done.stdout.split())

    variants.reset()
    assert run("challenger") == ("Nothing challenges the champion. Set a version beside it: holdfast challenge VERSION")
    assert run("challenge", "3").startswith("Version 3 decides in the champion's shadow now")
    assert run("challenger").startswith("Version 3 challenges version 1, and hasn't decided beside it yet")
    shadowing = Shadowing(desk.history, scorer(variants, "3"))
    decided(desk, 50)
    desk.history.shadows.write(shadowing.step())
    told = json.loads(run("challenger", "--json"))
    assert (told["decisions"], told["passed"]) == (50, 50)
    assert told["shifts"]["expected_value"]["of"] == 0
    assert told["shifts"]["churn_risk"]["low"] > 0
    assert told["outcomes"]["customers"] == 0
    assert "Version 3 beside version 1, on 50 of 50 decisions made meanwhile." in run("challenger")
    assert run("challenge", "--none") == "Nothing challenges the champion now; before it was version 3."
    assert variants.client.get_registered_model("holdfast").aliases.get(CHALLENGER) is None


def test_whose_predictions_came_nearer_is_told_with_an_interval(desk: Desk, variants: Variants) -> None:
    """The champion said what it would; the challenger the same with every risk turned round."""
    manifest = load(variants.folder("1")).manifest
    known = desk.history.known_by(desk.clock())
    then = known.as_of - timedelta(days=manifest["horizon"]["days"])
    scored = scorer(variants, "1").score_base(known.at(then))
    pairs = []
    for row in (row for frame in scored for row in frame.iter_rows(named=True)):
        scores = {name: row[name] for name in ("churn_risk", "expected_value", "value_low", "value_high")}
        said = {"customer": row["customer"], "as_of": then.isoformat(), "scores": scores, "next_purchases": []}
        turned = None if scores["churn_risk"] is None else 1 - scores["churn_risk"]
        pairs.append((said, {"scores": scores | {"churn_risk": turned}, "next_purchases": []}))
    found = judged(Beside.of(pairs), known, then, (manifest, manifest))
    assert found["risk"]["better"] == "champion"
    assert found["risk"]["gain"]["high"] < 0
    assert found["value"]["better"] == "not to be told apart"
    other = manifest | {"horizon": {"days": 1}}
    assert judged(Beside.of(pairs), known, then, (manifest, other))["why"].startswith("they predict other things")
    assert judged(Beside.of(pairs[:5]), known, then, (manifest, manifest))["why"].startswith("30 customers")


def test_a_mean_of_few_is_not_bounded() -> None:
    assert mean_of(np.ones(29)) is None


def test_a_child_ends_with_whoever_started_it() -> None:
    parent = (
        "from serving.child import Child; import time;"
        "child = Child('tests.waiting'); print(child.process_id, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    process.kill()
    process.wait()
    process.stdout.close()
    assert psutil.wait_procs([child], timeout=10)[1] == []
