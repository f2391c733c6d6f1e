import sqlite3
from datetime import UTC, timedelta

import pytest

from features.errors import AmbiguousCustomer, InputError, StoreError
from features.events import Interaction, event_id
from features.history import History
from features.identity import IdentityLink, Reference, reference
from features.known import Known
from features.versions import Written
from tests.ingesting import rows
from tests.making import AS_OF, BOTH, CATALOGUE, happened, log

ENGINES = BOTH

DAY = timedelta(days=1)


def test_appending_twice_adds_nothing(history: History):
    assert history.append([happened(1), happened(2)], AS_OF) == Written(2, 0, 0)
    assert history.append([happened(1), happened(2), happened(3)], AS_OF) == Written(1, 0, 2)
    assert history.counts() == {"purchase": 3}


def test_known_by_is_decided_by_when_it_was_recorded(history: History):
    late = happened(1, occurred_at=AS_OF - timedelta(days=9), recorded_at=AS_OF + timedelta(days=1))
    history.append([late], AS_OF)
    assert history.known_by(AS_OF).events.is_empty()
    assert len(history.known_by(AS_OF + timedelta(days=1)).events) == 1


def test_a_store_that_is_opened_again_still_knows(tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    first = History(url)
    first.append([happened(1, product="ünïcödé", amount=-1.25, margin=None, body={"a": [1, "우유"]})], AS_OF)
    first.close()
    again = History(url)
    (row,) = again.known_by(AS_OF).events.iter_rows(named=True)
    assert (row["product"], row["amount"], row["margin"]) == ("ünïcödé", -12_500, None)
    again.close()


# -- corrections and withdrawals


def amounts(known: Known) -> list[float]:
    return sorted(amount / 10_000 for amount in known.events["amount"])


def test_a_correction_is_known_from_its_own_moment_on(history: History):
    history.append([happened(1, amount=5.0)], AS_OF)
    before = history.known_by(AS_OF)
    assert history.append([happened(1, amount=7.0)], AS_OF + DAY) == Written(0, 1, 0)
    assert before.events.equals(history.known_by(AS_OF + DAY - timedelta(microseconds=1)).events)
    after = history.known_by(AS_OF + DAY)
    assert (amounts(after), amounts(after.at(AS_OF)), len(after.records)) == ([7.0], [5.0], 2)
    assert history.counts() == {"purchase": 1}


def test_an_old_row_told_again_does_not_undo_a_correction(history: History):
    first, second = happened(1, amount=5.0), happened(1, amount=7.0)
    history.append([first], AS_OF)
    history.append([second], AS_OF + DAY)
    assert history.append([first, second], AS_OF + 2 * DAY) == Written(0, 0, 2)
    assert amounts(history.known_by(AS_OF + 2 * DAY)) == [7.0]


def test_corrections_of_one_moment_follow_each_other(history: History):
    told = [happened(1, amount=amount) for amount in (5.0, 7.0, 6.0, 5.0)]
    told.append(happened(1, amount=7.0, recorded_at=AS_OF))
    assert history.append(told, AS_OF) == Written(1, 2, 2)
    spells = rows(history, "events", "version", "amount", "recorded_at", "superseded_at")
    ends = [(version, recorded, superseded) for version, _, recorded, superseded in spells]
    assert [superseded for _, _, superseded in ends] == [ends[1][1], ends[1][1] + 1, None]
    assert amounts(history.known_by(AS_OF + DAY)) == [6.0]


def test_a_source_that_dates_its_rows_may_restore_what_was_before(history: History):
    told = [happened(1, amount=amount, recorded_at=AS_OF + day * DAY) for day, amount in enumerate((5.0, 7.0, 5.0))]
    assert history.append([told[2], told[0]], None) == Written(1, 1, 0)
    assert history.append([told[1]], None) == Written(0, 1, 0)
    assert history.append(told, None) == Written(0, 0, 3)
    assert [amounts(history.known_by(AS_OF + day * DAY)) for day in range(3)] == [[5.0], [7.0], [5.0]]


def test_what_only_confirms_counts_as_known_and_holds_against_what_turns_up_late(history: History):
    told = [happened(1, amount=amount, recorded_at=AS_OF + day * DAY) for day, amount in enumerate((5.0, 7.0, 5.0))]
    assert history.append([told[0], told[2]], None) == Written(1, 0, 1)
    assert history.append([told[1]], None) == Written(0, 1, 0)
    assert [amounts(history.known_by(AS_OF + day * DAY)) for day in range(3)] == [[5.0], [7.0], [5.0]]


@pytest.mark.parametrize("corrections_from", [None, AS_OF])
def test_a_withdrawn_event_is_gone_from_then_on(history: History, corrections_from):
    history.append([happened(1), happened(2)], corrections_from)
    void = happened(1, kind="void", recorded_at=AS_OF)
    assert history.append([void], corrections_from) == Written(0, 1, 0)
    assert [len(history.known_by(AS_OF - wait).events) for wait in (DAY, timedelta(0))] == [2, 1]
    assert [len(history.of_customer(["customer:a"], AS_OF - wait)) for wait in (DAY, timedelta(0))] == [2, 1]
    assert history.counts() == {"purchase": 1}
    assert history.append([happened(1)], corrections_from) == Written(0, 0, 1)


def test_of_two_versions_at_one_moment_the_withdrawal_wins(new_history):
    told = [
        happened(1, reference=Reference("customer", name), kind=kind, recorded_at=AS_OF)
        for name, kind in (("a", "void"), ("b", "purchase"))
    ]
    for order in (told, told[::-1]):
        history = new_history()
        history.append(order, None)
        assert history.known_by(AS_OF).events.is_empty()


def test_an_event_that_moves_leaves_word_under_its_old_reference(history: History):
    history.append([happened(1)], AS_OF)
    history.append([happened(1, reference=Reference("customer", "b"))], AS_OF + DAY)
    told = rows(history, "events", "version", "reference", "kind", "body")
    assert told == [
        (0, "customer:a", "purchase", ""),
        (1, "customer:b", "purchase", ""),
        (2, "customer:a", "void", '"moved to customer:b"'),
    ]
    assert history.of_customer(["customer:a"], AS_OF + DAY) == []
    assert len(history.of_customer(["customer:a"], AS_OF)) == len(history.of_customer(["customer:b"], AS_OF + DAY)) == 1
    assert history.append([happened(1, reference=Reference("customer", "c"))], AS_OF + 2 * DAY) == Written(0, 1, 0)
    assert len(history.known_by(AS_OF + 2 * DAY).events) == 1


def test_what_was_never_corrected_is_read_as_it_is(history: History):
    history.append([happened(1), happened(2)], AS_OF)
    known = history.known_by(AS_OF)
    assert known.events is known.records
    plain = Known(AS_OF, known.events.drop("superseded_at"), (), known.products)
    assert plain.events.select(known.events.columns).equals(known.events)


def test_some_customers_are_kept_with_all_that_is_known_of_them(history: History):
    history.append([happened(1), happened(2), happened(3, reference=Reference("customer", "b"))], None)
    kept = history.known_by(AS_OF).only(["customer:a", "customer:nobody"])
    assert kept.events["customer"].to_list() == ["customer:a"] * 2


def test_a_store_that_an_earlier_version_made_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, id TEXT, recorded_at BIGINT)")
        old.execute("CREATE TABLE products (product TEXT, name TEXT, type TEXT, category TEXT, department TEXT)")
    old.close()
    with pytest.raises(StoreError) as refused:
        History(f"sqlite:///{tmp_path / 'old.db'}")
    said = str(refused.value)
    assert said.startswith(f"expected the store at sqlite:///{tmp_path / 'old.db'} to have events.version, ")
    assert said.endswith(
        "products.revision; found a store that an earlier Holdfast made, without them. Ingest the files again into a "
        "new home: set HOLDFAST_HOME to another folder, or HOLDFAST_DATABASE_URL to another store"
    )


def test_a_catalogue_has_a_revision_for_every_change(history: History):
    assert history.state_of([]).catalogue == 0
    assert history.put_products(CATALOGUE) == Written(len(CATALOGUE), 0, 0)
    assert history.put_products(CATALOGUE) == Written(0, 0, len(CATALOGUE))
    assert history.state_of([]).catalogue == 1
    renamed = [{**CATALOGUE[0], "name": "Another"}, {**CATALOGUE[0], "product": "p99"}, CATALOGUE[1]]
    assert history.put_products(renamed) == Written(1, 1, 1)
    found = dict(rows(history, "products", "product", "revision"))
    assert {name for name, revision in found.items() if revision == 2} == {"p0", "p99"}
    assert history.state_of([]).catalogue == 2
    # The only row of the newest revision is replaced, again and again.
    for number in (3, 4, 5):
        history.put_products([{**CATALOGUE[0], "name": f"Name {number}"}])
        assert history.state_of([]).catalogue == number


# -- who is who


def test_a_customer_is_found_by_reference_or_by_value_alone(history: History):
    history.append([happened(1, reference=Reference("household", "7"))], AS_OF)
    assert history.find("household:7") == history.find("7") == "household:7"
    assert history.find("8") is None
    history.append([happened(2, reference=Reference("account", "7"))], AS_OF)
    with pytest.raises(AmbiguousCustomer) as refused:
        history.find("7")
    assert str(refused.value) == (
        "expected one customer behind '7', found account:7, household:7; name one of them"
    )  # fmt: skip


def test_a_customer_s_name_is_not_a_phone_number_when_there_is_another(history: History):
    phone, household = reference("phone:+82 2-312-3456"), Reference("household", "7")
    history.link([IdentityLink(phone, household, AS_OF)])
    assert history.customer(str(phone), AS_OF) == "household:7"
    assert history.customer(str(phone), AS_OF - timedelta(seconds=1)) == "phone:+8223123456"


def test_newest_is_the_last_thing_recorded(history: History):
    assert history.newest() is None
    history.append([happened(1, occurred_at=AS_OF)], AS_OF)
    assert history.newest() == AS_OF
    log(history, "d-1", "customer:a", AS_OF + timedelta(hours=1), "{}")
    assert history.newest() == AS_OF + timedelta(hours=1)
    assert history.decisions.get("d-1") == {}
    assert history.decisions.get("d-2") is None


def test_one_decision_id_is_written_once(history: History):
    log(history, "d-1", "customer:a", AS_OF, "{}")
    with pytest.raises(StoreError, match=r"expected the store to be written; found: .*(UNIQUE|unique) constraint"):
        log(history, "d-1", "customer:a", AS_OF, "{}")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "bought"}, "expected kind to be one of purchase, return"),
        ({"channel": "fax"}, "expected channel to be one of store, web"),
        ({"amount": float("nan")}, "expected amount between -1000000000 and 1000000000, found nan"),
        ({"amount": 2e9}, "expected amount between"),
        ({"occurred_at": AS_OF.replace(tzinfo=None)}, "expected occurred_at with a time zone"),
    ],
)
def test_an_impossible_interaction_is_refused(given, message: str):
    with pytest.raises(InputError, match=message):
        happened(1, **{"recorded_at": AS_OF} | given)


@pytest.mark.parametrize("text", ["7", "household:", ":7", ""])
def test_a_reference_needs_a_type_and_a_value(text: str):
    with pytest.raises(InputError, match="expected a reference as type:value"):
        reference(text)


def test_a_phone_number_without_its_country_is_refused_unless_the_region_is_known():
    with pytest.raises(InputError, match="expected a phone number with its country code"):
        reference("phone:02-312-3456")
    assert str(reference("phone:02-312-3456", region="KR")) == "phone:+8223123456"


def test_an_interaction_keeps_its_moment_in_any_zone():
    korean = AS_OF.astimezone(tz=None)
    assert happened(1, occurred_at=korean).occurred_at.astimezone(UTC) == AS_OF
    assert isinstance(happened(1), Interaction)
    assert len(event_id("a")) == 32
