"""Erasing a person leaves nothing that names them, changes nobody else, and can't be undone by telling it all again."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.backups import disposed, write_backup
from features.cache import CustomerCache
from features.contract import row_of
from features.decisions import Window
from features.engines import engine_of
from features.erasing import behind, marked
from features.errors import ErasedCustomer, InputError, StoreError
from features.events import Interaction
from features.history import History
from features.identity import IdentityLink, Reference
from features.naming import Names
from features.packed import pack
from features.persons import person_of
from features.recovering import restore
from features.responses import Responses
from features.store import metadata
from features.traces import clear
from holdfast.app import app
from serving.desk import Desk
from serving.replay import Replayer
from serving.decision import Decider
from serving.requests import Ask, Happening, Report
from tests.desks import NOW, FakeScorer, ids, playbook, stocked
from tests.making import AS_OF, BOTH, happened, interactions, tellings

ENGINES = BOTH
Opener = Callable[[], History]
ANNA, PHONE, BERT, CARL = "customer:anna", "phone:+12024561111", "customer:bert", "customer:carl"
NAMES = (ANNA, PHONE, BERT, CARL)
MOMENTS = [AS_OF - timedelta(days=2), AS_OF]


@pytest.fixture
def keyed(new_url: Callable[[], str], tmp_path: Path) -> Opener:
    """Each call opens another empty store that has a secret beside it."""
    return lambda: History(new_url(), tmp_path / "erasure.key")


def texts(history: History) -> str:
    """Everything in the store, as one text."""
    with disposed(engine_of(history.url)) as engine, engine.connect() as connection:
        tables = [connection.execute(sa.select(table)).all() for table in metadata.sorted_tables]
    return "\n".join(str(value) for rows in tables for row in rows for value in row)


def reference(text: str) -> Reference:
    return Reference(*text.split(":"))


def desk_of(history: History, moment: Any = NOW) -> Desk:
    return Desk(history, FakeScorer(), playbook(), lambda: moment, ids())


def erased(history: History, name: str = ANNA, once: bool = False) -> Any:
    return history.erasures.erase(behind(name, once), AS_OF + timedelta(days=9))


def world(history: History, gone: frozenset[str]) -> dict[str, Any]:
    """What is known, decided and held of everybody but one: what mustn't change."""
    others = [one for one in NAMES if one not in gone]
    window = Window(AS_OF - timedelta(days=9_999), AS_OF + timedelta(days=9_999), ("top", "high"), 300)
    bodies = [json.loads(body) for body in history.decisions.bodies()]
    responses = history.decisions.responses(Responses())
    rows = {one: row_of(pack(history.of_customer([one], AS_OF), AS_OF), AS_OF).values.tolist() for one in others}
    ledgers = {one: history.decisions.ledger([one], window) for one in others}
    return {
        "rows": repr(rows),
        "events": repr({one: history.of_customer([one], AS_OF + timedelta(days=99)) for one in others}).replace(ANNA, "erased"),
        "decisions": [body for body in bodies if gone.isdisjoint((body["customer"], body["reference"]))],
        "contacts": {one: ledger.contacts for one, ledger in ledgers.items()},
        "spent": {one: dict(ledger.spent) for one, ledger in ledgers.items()},
        "responses": (responses.tried, responses.taken, responses.stated),
    }


TOLD = st.lists(st.one_of(interactions(("anna", "bert", "carl")), tellings(MOMENTS)), max_size=12)
PAIRS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(MOMENTS), st.sampled_from(["link", "unlink"]))
    .filter(lambda pair: pair[0] != pair[1]),
    max_size=4,
)  # fmt: skip
ASKED = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["presented", "accepted", "declined"])), max_size=3)


@settings(max_examples=25)
@given(told=TOLD, again=TOLD, pairs=PAIRS, asked=ASKED)
def test_law_8_whoever_is_erased_is_named_nowhere_and_comes_back_from_nowhere(
    keyed: Opener, told: list[Interaction], again: list[Interaction], pairs: list[Any], asked: list[tuple[str, str]]
):
    history = keyed()
    links = [IdentityLink(reference(one), reference(other), at, action) for one, other, at, action in pairs]
    history.append([_of(one) for one in told], None)
    history.append([_of(one) for one in again], AS_OF)
    history.link(links)
    _asked(desk_of(history, AS_OF + timedelta(hours=1)), asked)
    gone = history.erasures.person(ANNA).references
    before = world(history, gone)
    erased(history)
    assert set(history.erasures.named(Names(gone)).values()) == {0}
    assert not any(name.partition(":")[2] in texts(history) for name in gone)
    assert world(history, gone) == before
    written = history.append([_of(one) for one in told + again], AS_OF + timedelta(days=9))
    assert written.erased == sum(str(_of(one).reference) in gone for one in told + again)
    assert history.link(links).erased == sum(not gone.isdisjoint(link.pair()) for link in links)
    assert not any(name.partition(":")[2] in texts(history) for name in gone)
    history.close()


def _of(one: Interaction) -> Interaction:
    """Give an event to one of the persons of these tests, its decision or body naming others now and then."""
    name = {"a": ANNA, "b": BERT}.get(one.reference.value, str(one.reference))
    return replace(one, reference=reference(name), body={"friend": ANNA} if one.place == "south" else one.body)


def _asked(desk: Desk, asked: list[tuple[str, str]]) -> None:
    for number, (name, status) in enumerate(asked):
        body = desk.decide(Ask(customer=name, channel="phone", offers=2, context={"topic": "complaint"}))
        for one in body["offers"][: number + 1]:
            desk.outcome(Report(decision_id=body["decision_id"], offer=one["offer"], status=status))
