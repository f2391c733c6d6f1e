"""Every feature against SQL written apart from the engine, over histories that hold everything that hurts."""

import math
from datetime import UTC, datetime
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import microseconds
from features.contract import row_of, rows_of
from features.definitions import BY_NAME, NAMES, SUBJECTS
from features.events import CHANNELS, KINDS, LARGEST, SCALE
from features.feature import Array
from features.known import Known
from features.looks import FETCHED
from features.packed import pack
from tests import oracle
from tests.making import AS_OF

DAY = 86_400_000_000
HOUR = DAY // 24
_WHOLE = ("quantity", "amount", "margin", "discount", "occurred_at", "recorded_at", "utc_offset")
_SCHEMA = {name: pl.Int64 if name in _WHOLE else pl.String for name in ("customer", *FETCHED)}
_MOMENTS = (AS_OF, datetime(2024, 2, 29, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
_EDGES = (0, 7, 14, 28, 56, 70, 91, 119, 182, 364, 366, 20_000)
_AGES = [
    *(days * DAY + beyond for days in _EDGES for beyond in (-1, 0, 1)),
    *(days * DAY + 1 for days in range(60)),
    *(hours * HOUR for hours in range(-48, 400 * 24, 53)),
    *(place * 7_654_321_987_654 % (800 * DAY) for place in range(200)),
]
_TIES = [12 * HOUR, 24 * HOUR, 36 * HOUR, 200 * DAY]
_BESIDE_EDGES = [days * DAY + beyond for days in _EDGES for beyond in (-DAY, -1, 0, 1, DAY)]
_MONEY = [0, 1, -1, LARGEST * SCALE, -LARGEST * SCALE, *range(-999_999, 9_000_000, 200_003)]
_TEXTS = ["", "milk", "Milk", "milk ", "우유", "é", "e\u0301"]
_KINDS = sorted(set(KINDS) - {"void"})
_TALKS = ["contact", "inquiry", "complaint", "visit"]
# What each column of `Known.events` is drawn from; moments are ages here.
_DRAWN: dict[str, list[Any]] = {
    "customer": ["customer:a", "customer:A", "ümläut 고객"],
    "kind": [*["purchase"] * 20, *_TALKS * 2, *["attribute"] * 8, *_KINDS],
    "channel": list(CHANNELS),
    "product": [*_TEXTS, *["age"] * 6, "income", "household_size", "kids_count", "home_ownership", "marital_status"],
    **dict.fromkeys(("type", "category", "department", "place"), _TEXTS),
    "quantity": [0, SCALE, 25_000, -SCALE],
    "amount": _MONEY,
    "margin": [None, *_MONEY],
    "discount": [0, 0, 5_000, 30_000, -5_000],
    "occurred_at": _AGES,
    "recorded_at": [0, DAY],
    "utc_offset": [0, 3_600, -18_000, 34_200, 45_000, -43_200],
    "body": [""],
}
# One floating-point number less another can't be nearer to the truth than the number it is taken from.
_LESS_FROM = {"days_beyond_long_gap": "days_since_purchase"}


def known_of(rows: list[dict[str, Any]], as_of: datetime) -> Known:
    """Know some rows of `_DRAWN` at a moment."""
    events = pl.DataFrame(rows, schema=_SCHEMA).with_columns(
        pl.col("customer").alias("reference"), -pl.col("occurred_at", "recorded_at") + microseconds(as_of)
    )
    return Known(as_of, events, (), pl.DataFrame())


@st.composite
def known_histories(draw: st.DrawFn) -> Known:
    """Draw what is known at a moment: nothing, one event, or many, some of them twice."""
    one = st.fixed_dictionaries({name: st.sampled_from(among) for name, among in _DRAWN.items()})
    few, many = draw(st.sampled_from([(0, 2), (5, 20), (40, 60)]))
    rows = draw(st.lists(one, min_size=few, max_size=many))
    again = draw(st.lists(st.sampled_from(rows), max_size=4)) if rows else []
    return known_of(rows + again, draw(st.sampled_from(_MOMENTS)))


def online(known: Known, customer: str) -> Array:
    """Compute one customer's row as the service does."""
    of_customer = known.events.filter(pl.col("customer") == customer).sort("occurred_at", "recorded_at")
    return row_of(pack(of_customer.select(FETCHED).rows(), known.as_of), known.as_of).values


def differing(found: Array, wanted: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Tell which features aren't what the SQL says: counts exactly, others to nine digits, unknown as unknown."""
    values = dict(zip(NAMES, found.tolist(), strict=True))
    return {name: (values[name], wanted[name]) for name in NAMES if not _same(name, values, wanted[name])}


def _same(name: str, values: dict[str, float], wanted: float) -> bool:
    found = values[name]
    if math.isnan(wanted) or BY_NAME[name].unit == "count":
        return found == wanted or (math.isnan(found) and math.isnan(wanted))
    spare = abs(values[_LESS_FROM[name]]) if name in _LESS_FROM else 0.0
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9 * spare)


def expected(known: Known) -> dict[str, dict[str, float]]:
    """Ask the SQL for every customer's features by name, NaN where unknown."""
    told = oracle.asked(known.events, microseconds(known.as_of))
    floats = told.with_columns(pl.exclude("customer").cast(pl.Float64).fill_null(float("nan")))
    return {row.pop("customer"): row for row in floats.to_dicts()}


def check(known: Known) -> None:
    """Compare every feature of every customer."""
    wanted = expected(known)
    matrix = rows_of(known)
    assert set(matrix.customers) == set(wanted)
    for customer, row in zip(matrix.customers, matrix.values, strict=True):
        events = known.events.filter(pl.col("customer") == customer).to_dicts()
        assert differing(row, wanted[customer]) == {}, f"in batch, of {events}"
        assert differing(online(known, customer), wanted[customer]) == {}, f"online, of {events}"


@settings(max_examples=30)
@given(known=known_histories())
def test_every_feature_of_a_small_history_is_what_plain_sql_says_in_batch_and_online(known: Known):
    check(known)


@pytest.mark.parametrize("as_of", _MOMENTS)
@pytest.mark.parametrize(
    ("customers", "kinds", "ages"),
    [(3, _DRAWN["kind"], _AGES), (150, _DRAWN["kind"], _TIES), (150, _KINDS, _BESIDE_EDGES)],
    ids=["few customers", "one moment", "at the edges"],
)
def test_every_feature_of_a_long_history_is_what_plain_sql_says_in_batch_and_online(
    as_of: datetime, customers: int, kinds: list[str], ages: list[int]
):
    chance = Random(as_of.year)
    names = [f"customer:{number}" for number in range(customers)]
    drawn = _DRAWN | {"customer": names, "kind": kinds, "occurred_at": ages}
    check(known_of([{name: chance.choice(among) for name, among in drawn.items()} for _ in range(3_000)], as_of))


@pytest.mark.parametrize("subject", sorted({*SUBJECTS, *oracle.SUBJECTS}))
def test_every_feature_has_its_sql_and_no_sql_is_of_none(subject: str):
    assert subject in oracle.SUBJECTS, f"expected tests/oracle/{subject}.sql, found none; write its features in SQL"
    assert subject in SUBJECTS, f"found tests/oracle/{subject}.sql, but no such subject; delete it"
    found = set(oracle.asked(pl.DataFrame(schema=_SCHEMA), 0, [subject]).columns) - {"customer"}
    declared = {feature.name for feature in SUBJECTS[subject]}
    missing, unknown = ", ".join(sorted(declared - found)), ", ".join(sorted(found - declared))
    assert not missing, (
        f"expected a column for each feature in tests/oracle/{subject}.sql, found none for {missing}; add it"
    )
    assert not unknown, f"expected features only in tests/oracle/{subject}.sql, found {unknown}; declare or delete it"
