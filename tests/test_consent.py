"""What a customer agreed to holds on every road: what is offered, what is scored, and whom models learn from."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import after_history, microseconds
from features.consent import objectors, objects, profiled
from features.events import Interaction
from features.history import History
from features.home import Home
from features.identity import Reference
from features.known import Known
from features.packed import CustomerEvents, pack, pack_all
from holdfast.places import scorer_of
from serving import sentences
from serving.audience import Audience
from serving.desk import Desk
from serving.requests import Ask, Happening
from serving.scorer import Scorer
from serving.scores import OBJECTED, Scores
from serving.tiers import record_of
from tests.desks import NOW, FakeScorer, desk_over, playbook
from tests.making import AS_OF, BOTH, happened
from training.whose import learned_from, origin_of, whose

ENGINES = BOTH
Opener = Callable[[], History]


def told(desk: Desk, yes: float, purpose: str = "marketing", kind: str = "consent", **given: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"event_id": "c1", "customer": "+1 202 456 1111", "source": "crm", "channel": "other"}
    happening = Happening(
        **(plain | given), kind=kind, product=purpose, quantity=yes, occurred_at=NOW - timedelta(minutes=1)
    )
    return desk.interactions([happening])


def withheld(desk: Desk, language: str = "en", channel: str = "phone") -> dict[str, str]:
    body = desk.decide(Ask(customer="household:7", channel=channel, offers=20, language=language))
    stopped = {one["offer"]: one["reason"] for one in body["withheld"] if one["layer"] == "contact"}
    assert not stopped.keys() & {one["offer"] for one in body["offers"]}
    return stopped


def test_a_no_told_of_any_reference_withholds_what_is_marketing_and_holds_none_of_it(history: History):
    desk = desk_over(history)
    before = desk.decide(Ask(customer="household:8", channel="phone", offers=20))
    assert before["offers"]
    told(desk, 0.0)
    body = desk.decide(Ask(customer="household:7", channel="phone", offers=20))
    marketing = {offer.id for offer in playbook().offers if offer.purpose == "marketing"}
    assert not marketing & {one["offer"] for one in [*body["offers"], *body["runners_up"]]}
    assert "No consent to marketing over this channel." in withheld(desk).values()
    assert "이 채널을 통한 마케팅 수신에 동의하지 않았습니다." in withheld(desk, "ko").values()
    window = desk.decider.policy.approach.window(NOW, "top")
    assert not [one for one in history.decisions.ledger(["household:7"], window).contacts if one.offer in marketing]


def test_a_consent_is_corrected_and_withdrawn_like_any_event(history: History):
    desk, seconds = desk_over(history), count()
    desk.clock = lambda: NOW + timedelta(seconds=next(seconds))
    assert not withheld(desk)
    assert told(desk, 0.0)["recorded"] == 1
    assert withheld(desk)
    assert told(desk, 1.0)["corrected"] == 1
    assert not withheld(desk)
    assert told(desk, 0.0, event_id="c2")["recorded"] == 1
    assert withheld(desk)
    assert told(desk, 0.0, event_id="c2", kind="void")["corrected"] == 1
    assert not withheld(desk)


def test_what_is_owed_goes_on_without_any_consent(history: History):
    desk = desk_over(history)
    told(desk, 0.0, purpose="")
    owed = {offer.id for offer in playbook().offers if offer.owed}
    assert owed
    assert not owed & withheld(desk).keys()


def wish(yes: bool, days: float, name: str = "a", purpose: str = "profiling", number: int = 1) -> Interaction:
    return happened(
        number, reference=Reference("customer", name), kind="consent", product=purpose, quantity=float(yes),
        occurred_at=AS_OF - timedelta(days=days),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wishes", "objecting"),
    [
        ([], False),
        ([wish(False, 3)], True),
        ([wish(False, 3), wish(True, 2, number=2)], False),
        ([wish(False, 3), wish(True, 3, number=2)], True),
        ([wish(False, 3, purpose="marketing")], False),
        ([wish(False, -1)], False),
    ],
)
def test_the_newest_wish_about_profiling_holds_and_of_two_at_once_the_no(
    history: History, wishes: list[Interaction], objecting: bool
):
    history.append([replace(one, recorded_at=AS_OF - timedelta(days=9)) for one in [*wishes, happened(9)]], None)
    events = pack(history.of_customer(["customer:a"], AS_OF), AS_OF)
    assert objects(events) is objecting
    known = history.known_by(AS_OF)
    assert objectors(known) == ({"customer:a"} if objecting else frozenset())
    assert len(profiled(known).events) == (0 if objecting else len(known.events))


WISHES = st.lists(
    st.tuples(st.booleans(), st.sampled_from([-1, 0, 1, 2]), st.sampled_from("ab"), st.sampled_from(["profiling", ""])),
    max_size=6,
)


@settings(max_examples=20)
@given(wishes=WISHES)
def test_one_customer_objects_exactly_where_batch_says_so(new_history: Opener, wishes: list[Any]):
    history = new_history()
    history.append([wish(*one, number=number) for number, one in enumerate(wishes)], None)
    known = history.known_by(AS_OF)
    for name in ("customer:a", "customer:b"):
        assert objects(pack(history.of_customer([name], AS_OF), AS_OF)) is (name in objectors(known))


# -- with a bundle


@pytest.fixture(scope="module")
def base(trained: tuple[Home, History, dict[str, Any]]) -> tuple[Scorer, History, Known, frozenset[str]]:
    """A scored base in which every third customer asked not to be profiled."""
    place, history, _ = trained
    known = history.known_by(after_history(history.newest)())
    some = known.events["customer"].unique().sort()[::3].to_list()
    before = microseconds(known.as_of) - 1
    told_of = known.records.head(1).select(pl.all().repeat_by(len(some)).explode()).with_columns(
        reference=pl.Series(some), customer=pl.Series(some), kind=pl.lit("consent"), product=pl.lit("profiling"),
        quantity=pl.lit(0, pl.Int64), occurred_at=pl.lit(before), recorded_at=pl.lit(before),
        superseded_at=pl.lit(None, pl.Int64), channel=pl.lit("other"),
    )  # fmt: skip
    return scorer_of(place), history, replace(known, records=pl.concat([known.records, told_of])), frozenset(some)


def objecting_online(history: History, customer: str, as_of: datetime, objecting: bool) -> CustomerEvents:
    events = pack(history.of_customer([customer], as_of), as_of)
    if not objecting:
        return events
    row = ("x", "consent", "other", "profiling", "", 0, 0, None, 0, *[microseconds(as_of) - 1] * 2, 0, "", "", "", "")
    return events.with_newer(pack_all([row]))


def test_of_whoever_objects_no_score_is_used_one_by_one_and_all_at_once_alike(base: Any):
    scorer, history, known, some = base
    chunk = next(scorer.chunks(known))
    newcomer = scorer.score(pack([], known.as_of), known.as_of)[0]
    seen = 0
    for customer, scores in zip(chunk.rows.customers, scorer.scores_of(chunk), strict=True):
        events = objecting_online(history, customer, known.as_of, customer in some)
        alone, row = scorer.score(events, known.as_of)
        assert same(alone, scores)
        if customer in some:
            assert same(alone, replace(newcomer, note=OBJECTED))
            assert not np.isnan(row.values).all()
            seen += 1
    assert 10 < seen == len(some)
    scored = chunk.listed.filter(pl.col("customer").is_in(list(some)))
    assert scored["expected_value"].n_unique() == 1
    assert not scored["active"].any()
    assert scored["next_purchases"].n_unique() == 1


NUMBERS = ("churn_risk", "expected_value", "value_low", "value_high")
APART = {"churn_reasons": (), "value_reasons": (), "worth": None, "chances": {}, **dict.fromkeys(NUMBERS)}


@pytest.mark.parametrize(("yes", "tier"), [(True, "top"), (False, None)])
def test_no_tier_of_record_is_told_of_whoever_objects(history: History, yes: bool, tier: str | None):
    recorded = happened(2, kind="tier", product="top", occurred_at=AS_OF - timedelta(days=2))
    history.append([wish(yes, 1.0), recorded], None)
    assert record_of(pack(history.of_customer(["customer:a"], AS_OF), AS_OF)) == tier


def same(one: Scores, other: Scores) -> bool:
    """Whether scores are the same to 1e-9, reasons aside, which only one customer's have."""
    both = [replace(each, **APART, next_purchases=(), new_purchases=()) for each in (one, other)]
    items = [[item.item for item in each.next_purchases] for each in (one, other)]
    numbers = [
        [*(getattr(each, name) or 0.0 for name in NUMBERS), *(item.probability for item in each.next_purchases)]
        for each in (one, other)
    ]
    return both[0] == both[1] and items[0] == items[1] and np.allclose(*numbers, rtol=1e-9)


def test_an_answer_says_that_its_customer_objects_in_the_agents_language(history: History):
    class Objecting(FakeScorer):
        def score(self, events: Any, as_of: datetime, whole: bool = True) -> Any:
            scores, row = super().score(events, as_of, whole)
            return (replace(self.default, note=OBJECTED) if objects(events) else scores), row

    desk = desk_over(history)
    desk.scorer = Objecting()
    assert desk.decide(Ask(customer="household:7", channel="phone"))["note"] is None
    told(desk, 0.0, purpose="profiling")
    for language, sentence in sentences.OBJECTED.items():
        asked = desk.decide(Ask(customer="household:7", channel="phone", language=language))
        assert asked["note"] == sentence
        assert asked["scores"]["churn_risk"] is None
    assert desk.decide(Ask(customer="household:8", channel="phone"))["note"] is None


def test_nothing_is_learned_from_whoever_objects_and_the_card_says_how_many(base: Any):
    _, history, known, some = base
    learned, counts = learned_from(known)
    assert not some & set(learned.events["customer"])
    assert counts == {"customers": known.events["customer"].n_unique(), "objecting": len(some)}
    origin = origin_of(history.origins(known.as_of), {"complete_journey": "research and education"}, AS_OF)
    text = "\n".join(whose({**counts, **origin}))
    assert f"{counts['objecting']} ({100 * len(some) / counts['customers']:.1f} %) asked not to be profiled" in text
    assert "| research and education |" in text
    assert "the last on 2024-03-01: nothing was learned from them" in text
    assert not any(customer in text for customer in known.events["customer"].unique())


def test_every_member_of_an_audience_who_objects_is_put_into_a_newcomers_words(base: Any):
    scorer, _, known, some = base
    members = [one for one in islice(Audience(scorer, playbook().glossary).members(known), 60) if one.customer in some]
    assert members
    assert all(one.known["churn.risk"] is None for one in members)
    assert len({one.known["value.expected"] for one in members}) == 1
