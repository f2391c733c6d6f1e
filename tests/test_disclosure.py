"""What is written out of a person is everything that the store has of them, and nothing of anybody else."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from features.backups import disposed
from features.engines import engine_of
from features.history import History
from features.naming import Names
from features.store import metadata
from holdfast.app import app
from serving.requests import Ask, Happening, Report
from tests.desks import NOW, desk_over
from tests.making import BOTH

ENGINES = BOTH
MINE = ("household:7", "phone:+12024561111")


@pytest.fixture
def told(history: History) -> History:
    """Two households of which something is in every table that can name them; a friend's event names the first."""
    desk = desk_over(history)
    for customer in ("household:7", "+1 202 456 1111", "household:8"):
        body = desk.decide(Ask(customer=customer, channel="phone", offers=3))
        for one in body["offers"]:
            desk.outcome(Report(decision_id=body["decision_id"], offer=one["offer"], status="declined"))
        with disposed(engine_of(history.url)) as engine, engine.begin() as connection:
            shadow = {
                "decision": body["decision_id"],
                "made_at": 1,
                "body": json.dumps({"reference": body["reference"]}),
            }
            connection.execute(sa.insert(metadata.tables["shadows"]).values(**shadow))
    for number, (customer, kind, product, body) in enumerate(
        [
            ("household:7", "consent", "marketing", {}),
            ("household:7", "consent", "profiling", {}),
            ("household:8", "inquiry", "", {"asked for": "household:7"}),
        ]
    ):
        happening = Happening(
            event_id=str(number),
            customer=customer,
            kind=kind,
            source="crm",
            product=product,
            occurred_at=NOW,
            body=body,
        )
        desk.interactions([happening])
    return history


def naming(history: History, *names: str) -> dict[str, set[Any]]:
    """Find by brute force the rows of each table with a name in any text, and what hangs on their decisions."""
    found: dict[str, set[Any]] = {}
    with disposed(engine_of(history.url)) as engine, engine.connect() as connection:
        decisions: set[str] = set()
        for name in ("decisions", "contacts", "events", "references", "links", "shadows", "responses"):
            table = metadata.tables[name]
            key = next(iter(table.primary_key)).name
            rows = list(connection.execute(sa.select(table)).mappings())
            text = {row[key]: json.dumps([str(value) for value in row.values()]) for row in rows}
            mine = {
                row[key]
                for row in rows
                if any(f"{name}\\" in text[row[key]] or f'{name}"' in text[row[key]] for name in names)
            }
            mine |= {row[key] for row in rows if row.get("decision") in decisions}
            if name == "decisions":
                decisions |= {row["id"] for row in rows if row[key] in mine}
            found[name] = mine
    return found


def test_every_row_that_names_a_person_is_in_what_is_written_out_of_them(told: History):
    held = told.erasures.held(Names(MINE))
    expected = naming(told, *MINE)
    of_others = {("events", row["row"]) for row in held["mentions"]}
    for name, rows in held.items():
        if name != "mentions":
            key = "reference" if name == "references" else "seq"
            assert {row[key] for row in rows} | {row for table, row in of_others if table == name} == expected[name]
            assert rows, name
    assert len(of_others) == 1
    text = json.dumps(held)
    assert "household:8" not in text


def test_the_command_writes_it_all_and_says_in_words_what_it_comes_to(
    told: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in (("HOME", tmp_path), ("DATABASE_URL", told.url), ("CLOCK", "history")):
        monkeypatch.setenv(f"HOLDFAST_{name}", str(value))
    to = tmp_path / "seven.json"
    words = ["export-person", "+1 202 456 1111", "--out", str(to), "--json"]
    said = json.loads(CliRunner().invoke(app, words).stdout)
    written = json.loads(to.read_text())
    assert written["references"] == sorted(MINE)
    assert said["rows"] == {name: len(rows) for name, rows in written["held"].items()}
    assert {(one["purpose"], one["yes"]) for one in written["consents"]} == {("marketing", False), ("profiling", False)}
    summary = to.with_suffix(".md").read_text()
    assert "- No to being profiled, since 2018-01-02" in summary
    assert "- purchase from till: 6" in summary
    assert "## Decisions\n\n- 2018-01-02T09:30:00 over phone: " in summary
    assert "household:8" not in summary + to.read_text()
    assert to.stat().st_mode & 0o777 == 0o600
    assert "expected a new file" in str(CliRunner().invoke(app, words).exception)


def test_what_is_written_out_takes_the_place_of_nothing(told: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in (("HOME", tmp_path), ("DATABASE_URL", told.url), ("CLOCK", "history")):
        monkeypatch.setenv(f"HOLDFAST_{name}", str(value))
    (tmp_path / "notes.md").write_text("somebody's own")
    (tmp_path / ".open.json-made").touch(mode=0o644)

    def written(name: str, *words: str) -> str:
        to = str(tmp_path / name)
        return str(CliRunner().invoke(app, ["export-person", "household:7", "--out", to, *words]).exception)

    assert "expected --out as a JSON file" in written("one.md", "--replace")
    assert "expected a new file, found" in written("notes.json")
    assert (tmp_path / "notes.md").read_text() == "somebody's own"
    assert not (tmp_path / "notes.json").exists()
    assert written("open.json") == "None"
    assert (tmp_path / "open.json").stat().st_mode & 0o777 == 0o600
