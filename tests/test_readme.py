"""The README is true: its commands are there, and print what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from features.history import History
from features.home import ROOT
from holdfast import sample
from holdfast.app import app
from tests.figures import differing

README = (ROOT / "README.md").read_text(encoding="utf-8")
HOLDFAST = str(Path(sys.executable).with_name("holdfast"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def shown(command: str) -> str:
    """What the README says a command prints."""
    return next(block for block in blocks("console") if block.startswith(f"$ {command}")).split("\n", 1)[1].rstrip()


def printed(words: list[str], folder: Path, **places: str) -> str:
    """What a command prints in a folder, under an environment that holds nothing else."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "HOLDFAST_HOME": str(folder), **places}
    done = subprocess.run(
        [HOLDFAST, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip()


def masked(text: str) -> str:
    """Hide what differs between data sets: numbers, households, and which offers were made."""
    text = re.sub(r"(?m)(was offered ).*(; after a no, ).*(\. What offers)", r"\1…\2…\3", text)
    text = re.sub(r"(?m)^• Judged .*$", "• Judged …", text)
    return re.sub(r"\d[\d,.]*", "#", text)


def spoken(decision: str) -> list[str]:
    """The kinds of lines of a decision, in their order, each once."""
    return list(dict.fromkeys(re.findall(r"(?m)^(Worth|Leaving|Next|Offer|Not|Decision)\b", decision)))


def test_its_table_of_commands_is_the_command_line():
    listed = dict(re.findall(r"^\| `holdfast ([\w-]+)` \| (.*) \|$", README, flags=re.M))
    known = {
        name: (command.help or "").split("\n\n")[0].replace("\n", " ").strip()
        for name, command in get_command(app).commands.items()  # type: ignore[attr-defined]
    }
    assert listed == known


def test_its_make_targets_are_in_the_makefile():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert set(re.findall(r"(?<!keys )make ([a-z]+)", README)) <= targets


@pytest.mark.parametrize(
    "command", [name for name, _ in re.findall(r"^\| `holdfast ([\w-]+)` (\|)", README, flags=re.M)]
)
def test_every_command_has_help_with_an_example(command: str, tmp_path: Path):
    assert f"Example: holdfast {command}" in printed([command, "--help"], tmp_path)


def test_its_own_data_is_taken_in_as_it_says(tmp_path: Path):
    sources = tmp_path / "playbook" / "sources"
    sources.mkdir(parents=True)
    (mapping,), (rows,) = blocks("toml"), blocks("csv")
    (sources / "orders.toml").write_text(mapping, encoding="utf-8")
    (tmp_path / "orders.csv").write_text(rows, encoding="utf-8")
    said = printed(["ingest", "orders.csv", "--source", "orders"], tmp_path, HOLDFAST_PLAYBOOK=str(sources.parent))
    seconds = re.compile(r"[\d.]+ *$", flags=re.M)
    without = [
        [line.rstrip() for line in seconds.sub("", text).splitlines()] for text in (said, shown("holdfast ingest"))
    ]
    assert without[0] == without[1]


def test_the_demonstration_ends_as_it_says_and_can_be_asked_again(tmp_path: Path):
    said = printed(["demo", "--households", "120"], tmp_path)
    summary = said[said.index("In short") : said.index("Where to look next")].rstrip()
    assert masked(summary) == masked(shown("holdfast demo"))
    household = re.search(r"household:(\d+) was offered", summary)
    assert household
    # What the service wrote down is there after it and the demonstration have ended: an outcome, two decisions.
    kept = History(f"sqlite:///{tmp_path / 'data' / 'history.db'}")
    assert kept.counts().get("offer_declined") == 1
    decisions = [kept.decisions.get(found) for found in kept.decisions.ids()]
    kept.close()
    assert [decision["customer"] for decision in decisions if decision] == [f"household:{household[1]}"] * 2
    asked = printed(["decide", household[1]], tmp_path)
    assert spoken(asked) == spoken(shown("holdfast decide"))


def test_the_demonstration_leaves_other_data_alone(tmp_path: Path):
    files = sample.cut(tmp_path / "files", 2)
    text = (ROOT / "playbook" / "sources" / "complete_journey.toml").read_text(encoding="utf-8")
    sources = tmp_path / "playbook" / "sources"
    sources.mkdir(parents=True)
    (sources / "shop.toml").write_text(text.replace('name = "complete_journey"', 'name = "shop"'), encoding="utf-8")
    printed(["ingest", str(files), "--source", "shop"], tmp_path, HOLDFAST_PLAYBOOK=str(sources.parent))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HOLDFAST_HOME": str(tmp_path)}
    done = subprocess.run([HOLDFAST, "demo"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "expected an empty home, or one that holds only Complete Journey" in " ".join(done.stderr.split())


def test_a_figure_that_went_stale_is_found():
    true = "\n".join(line for line in shown("holdfast demo").splitlines())
    assert differing(README, true) == []
    assert len(differing(README, true.replace("purchases", "1 purchases").replace("pairs", "5% pairs"))) == 2
    assert differing(README, "") != []
