"""The laws of the cache: whatever is written, by whomever, a cached row is the row of the store."""

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.cache import BESIDE, CustomerCache
from features.contract import row_of
from features.events import Interaction
from features.history import History
from features.identity import Reference
from features.packed import CustomerEvents, pack
from tests.making import AS_OF, CATALOGUE, happened, interactions, tellings

Opener = Callable[[], History]
MOMENTS = [AS_OF - timedelta(days=2), AS_OF, AS_OF + timedelta(days=1)]
STEPS = st.lists(
    st.tuples(
        st.lists(st.one_of(interactions(("a", "b")), tellings(MOMENTS)), max_size=6),
        st.sampled_from([None, *MOMENTS]),
        st.sampled_from([AS_OF, MOMENTS[2], AS_OF - timedelta(days=40)]),
        st.sampled_from(["", "t0", "t1"]),
    ),
    max_size=5,
)
WRITE = """
import sys
from datetime import timedelta
from features.history import History
from tests.making import AS_OF, happened
from tests.making import BOTH

ENGINES = BOTH
History(sys.argv[1]).append([happened(2, amount=7.0, occurred_at=AS_OF - timedelta(hours=1))], None)
print("written", flush=True)
"""


def same(left: CustomerEvents, right: CustomerEvents) -> bool:
    texts = left.texts == right.texts and np.array_equal(left.kind, right.kind)
    return texts and all(np.array_equal(column, right.whole[name]) for name, column in left.whole.items())


@given(steps=STEPS)
def test_a_cached_history_is_always_that_of_the_store(
    new_history: Opener, steps: list[tuple[list[Interaction], object, object, str]]
):
    writer = new_history()
    writer.put_products(CATALOGUE)
    reader = History(writer.url)
    cache, tiny = CustomerCache(reader), CustomerCache(reader, most_events=3)
    for told, corrections_from, as_of, level in steps:
        writer.append(told, corrections_from)
        if level:
            writer.put_products([CATALOGUE[0] | {"type": level}])
        for references in (["customer:a"], ["customer:b"], ["customer:a", "customer:b"]):
            fresh = pack(writer.of_customer(references, as_of), as_of)
            for kept in (cache, tiny):
                found = kept.events(references, as_of)
                assert same(found, fresh)
                row = row_of(found, as_of).values
                assert np.array_equal(row, row_of(fresh, as_of).values, equal_nan=True)
    reader.close()


ONE_EVENT = st.lists(
    st.tuples(st.lists(tellings(MOMENTS), min_size=1, max_size=2), st.sampled_from([None, *MOMENTS])),
    min_size=2,
    max_size=6,
)


@settings(max_examples=80)
@given(steps=ONE_EVENT)
def test_a_cached_history_follows_corrections_withdrawals_and_moves(
    new_history: Opener, steps: list[tuple[list[Interaction], datetime | None]]
):
    history = new_history()
    cache = CustomerCache(history)
    for told, corrections_from in steps:
        history.append(told, corrections_from)
        for reference in ("customer:a", "customer:b"):
            for as_of in (MOMENTS[2], *MOMENTS):
                fresh = pack(history.of_customer([reference], as_of), as_of)
                assert same(cache.events([reference], as_of), fresh)


def test_a_correction_takes_the_place_of_what_was_cached(history: History):
    cache = CustomerCache(history)
    for number, amount in enumerate((1.0, 2.0, 3.0)):
        history.append([happened(1, amount=amount)], AS_OF + timedelta(days=number))
        later = AS_OF + timedelta(days=number + 1)
        assert row_of(cache.events(["customer:a"], later), later).as_dict()["spend"] == amount


def test_the_customer_unused_for_longest_is_given_up_first(history: History):
    history.append([happened(place, reference=Reference("customer", name)) for place, name in enumerate("abc")], None)
    cache = CustomerCache(history, most_events=2 * (1 + BESIDE))
    first = cache.events(["customer:a"], AS_OF)
    for name in ("b", "a", "c"):
        cache.events([f"customer:{name}"], AS_OF)
    assert cache.events(["customer:a"], AS_OF) is first
    assert cache.size == (2, 2)


def test_a_product_that_moves_twice_moves_in_the_cache(history: History):
    history.append([happened(1, product="p0")], None)
    cache = CustomerCache(history)
    for level in ("milk", "bread", "tea"):
        history.put_products([CATALOGUE[0] | {"type": level}])
        assert cache.events(["customer:a"], AS_OF).texts["type"] == [level]


def test_what_another_process_writes_is_in_the_next_row(history: History):
    history.append([happened(1, amount=1.0)], None)
    cache = CustomerCache(history)
    assert row_of(cache.events(["customer:a"], AS_OF), AS_OF).as_dict()["spend_28"] == 1.0
    command = [sys.executable, "-c", WRITE, history.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "written\n"
        row = row_of(cache.events(["customer:a"], AS_OF), AS_OF)
        assert row.as_dict()["spend_28"] == 8.0
    assert other.returncode == 0
