from datetime import UTC, timedelta

import pytest

from features.errors import AmbiguousCustomer, InputError, StoreError
from features.events import Interaction, event_id
from features.history import History
from features.identity import IdentityLink, Reference, reference
from tests.making import AS_OF, happened


def test_appending_twice_adds_nothing(history: History):
    assert history.append([happened(1), happened(2)]) == 2
    assert history.append([happened(1), happened(2), happened(3)]) == 1
    assert history.counts() == {"purchase": 3}


def test_known_by_is_decided_by_when_it_was_recorded(history: History):
    late = happened(1, occurred_at=AS_OF - timedelta(days=9), recorded_at=AS_OF + timedelta(days=1))
    history.append([late])
    assert history.known_by(AS_OF).events.is_empty()
    assert len(history.known_by(AS_OF + timedelta(days=1)).events) == 1


def test_a_store_that_is_opened_again_still_knows(tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    first = History(url)
    first.append([happened(1, product="ünïcödé", amount=-1.25, margin=None, body={"a": [1, "우유"]})])
    first.close()
    again = History(url)
    (row,) = again.known_by(AS_OF).events.iter_rows(named=True)
    assert (row["product"], row["amount"], row["margin"]) == ("ünïcödé", -12_500, None)
    again.close()


def test_a_customer_is_found_by_reference_or_by_value_alone(history: History):
    history.append([happened(1, reference=Reference("household", "7"))])
    assert history.find("household:7") == history.find("7") == "household:7"
    assert history.find("8") is None
    history.append([happened(2, reference=Reference("account", "7"))])
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
    history.append([happened(1, occurred_at=AS_OF)])
    assert history.newest() == AS_OF
    history.append_decision("d-1", "customer:a", AS_OF + timedelta(hours=1), "{}")
    assert history.newest() == AS_OF + timedelta(hours=1)
    assert history.decision("d-1") == {}
    assert history.decision("d-2") is None


def test_one_decision_id_is_written_once(history: History):
    history.append_decision("d-1", "customer:a", AS_OF, "{}")
    with pytest.raises(StoreError, match="expected the store to be written; found: UNIQUE constraint failed"):
        history.append_decision("d-1", "customer:a", AS_OF, "{}")


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
