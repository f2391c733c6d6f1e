"""The laws of corrected and withdrawn events, over tellings of the same few events in every order."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from features.clock import microseconds
from features.events import Interaction
from features.history import History
from features.known import Known
from features.looks import COLUMNS
from features.versions import Written
from tests.ingesting import rows
from tests.making import AS_OF, filled, tellings

Opener = Callable[[], History]
MOMENTS = [AS_OF + timedelta(days=day) for day in range(3)]
EVERY = [AS_OF - timedelta(days=99), *(moment + timedelta(hours=hours) for moment in MOMENTS for hours in (0, 1))]
MOMENT = st.sampled_from(MOMENTS)
TOLD = st.lists(tellings(MOMENTS), max_size=12)
TWICE = TOLD.flatmap(lambda told: st.tuples(st.just(told), st.permutations(told)))


def standing(known: Known) -> list[tuple[Any, ...]]:
    return sorted(known.events.select("customer", *COLUMNS, "type", "superseded_at").rows(), key=repr)


def everything(history: History) -> list[list[tuple[Any, ...]]]:
    return [standing(history.known_by(moment)) for moment in EVERY]


@given(told=TOLD, again=TOLD, moment=MOMENT, wait=st.timedeltas(timedelta(microseconds=1), timedelta(days=2)))
def test_a_correction_changes_nothing_that_was_computed_before_it(
    new_history: Opener, told: list[Interaction], again: list[Interaction], moment: datetime, wait: timedelta
):
    history = filled(new_history(), told)
    before = standing(history.known_by(moment))
    ids = {one.id for one in told}
    history.append([one for one in again if one.id in ids], moment + wait)
    assert standing(history.known_by(moment)) == before


@given(orders=TWICE, parts=st.integers(1, 4))
def test_versions_that_date_themselves_give_the_same_in_any_order(
    new_history: Opener, orders: tuple[list[Interaction], list[Interaction]], parts: int
):
    first, second = new_history(), new_history()
    first.append(orders[0], None)
    for part in range(parts):
        second.append(orders[1][part::parts], None)
    assert everything(first) == everything(second)


@given(told=st.lists(tellings(MOMENTS), max_size=12, unique_by=lambda one: (one.id, one.recorded_at)))
def test_what_stands_is_the_newest_told_by_then(new_history: Opener, told: list[Interaction]):
    history = filled(new_history(), told)
    for moment in EVERY:
        newest = {}
        for one in sorted(told, key=lambda one: one.recorded_at):
            if one.recorded_at <= moment:
                newest[one.id] = one
        expected = [
            (str(one.reference), round(one.amount * 10_000), microseconds(one.recorded_at))
            for one in newest.values()
            if one.kind != "void"
        ]
        found = history.known_by(moment).events.select("reference", "amount", "recorded_at").rows()
        assert sorted(found) == sorted(expected)


@given(told=TOLD, again=TOLD, later=MOMENT)
def test_going_back_gives_what_was_known_then(
    new_history: Opener, told: list[Interaction], again: list[Interaction], later: datetime
):
    history = filled(new_history(), told)
    history.append(again, later)
    known = history.known_by(EVERY[-1])
    for moment in EVERY:
        assert standing(known.at(moment)) == standing(history.known_by(moment))
        assert sorted(known.at(moment).records.rows(), key=repr) == sorted(
            history.known_by(moment).records.rows(), key=repr
        )


@given(told=TOLD, corrections_from=st.none() | MOMENT, later=st.timedeltas(timedelta(0), timedelta(days=9)))
def test_the_same_rows_again_change_nothing(
    new_history: Opener, told: list[Interaction], corrections_from: datetime | None, later: timedelta
):
    history = new_history()
    history.append(told, corrections_from)
    before = rows(history)
    again = None if corrections_from is None else corrections_from + later
    assert history.append(told, again) == Written(0, 0, len(told))
    assert rows(history) == before


@given(told=TOLD, again=TOLD, later=MOMENT)
def test_a_customer_alone_is_known_as_among_all(
    new_history: Opener, told: list[Interaction], again: list[Interaction], later: datetime
):
    history = filled(new_history(), told)
    history.append(again, later)
    for moment in EVERY:
        known = history.known_by(moment)
        for name in ("customer:a", "customer:b"):
            mine = [row for row in standing(known) if row[0] == name]
            assert standing(history.known_by(moment, [name])) == mine
            alone = [row[: len(COLUMNS)] for row in history.of_customer([name], moment)]
            assert sorted(alone, key=repr) == [row[1 : len(COLUMNS) + 1] for row in mine]


@given(told=TOLD, more=tellings(MOMENTS), corrections_from=st.none() | MOMENT)
def test_whatever_changes_for_a_reference_adds_a_row_to_it(
    new_history: Opener, told: list[Interaction], more: Interaction, corrections_from: datetime | None
):
    history = filled(new_history(), told)
    names = ("seq", "reference", "version")
    last, before = max(rows(history, "events", "seq"), default=(0,)), everything(history)
    history.append([more], corrections_from)
    new = more.id not in {one.id for one in told}
    added = {name for seq, name, version in rows(history, "events", *names) if (seq,) > last and (version > 0 or new)}
    for was, now in zip(before, everything(history), strict=True):
        for name in ("customer:a", "customer:b"):
            if [row for row in was if row[0] == name] != [row for row in now if row[0] == name]:
                assert name in added
