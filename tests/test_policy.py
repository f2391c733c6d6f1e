from dataclasses import replace
from datetime import date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from features.clock import microseconds
from features.decisions import Ledger
from features.expressions import Vocabulary, compile_rule
from features.glossary import Assumptions
from serving.money import Breakdown
from serving.offers import LAYERS, NEXT, Lever, Offer, Prior, Rule, Weight
from serving.policy import Policy, Ruling
from serving.scores import Scores, Worth
from serving.situation import Past, Situation
from serving.stops import Stop
from tests.desks import NOW, SCORES, playbook, stated

GLOSSARY = playbook().glossary
ASSUMPTIONS = GLOSSARY.assumptions
FREE = replace(playbook().contact, caps=(), suppressions=(), attention=None)
VOCABULARY = Vocabulary({"at_risk": True, "offer.days_since_declined": 1.0, "churn.risk": 0.5})
RULES = {
    text: Rule(compile_rule(text, VOCABULARY, "here"), {"en": f"Not: {text}", "ko": f"아님: {text}"})
    for text in ("at_risk", "not at_risk", "(offer.days_since_declined ?? 99) > 28", "churn.risk > 0.2")
}
PIZZA = Offer(
    id="pizza",
    kind="product",
    owner="frozen",
    group="",
    purpose="marketing",
    owed=False,
    credit=0.0,
    title={"en": "Pizza", "ko": "피자"},
    script={"en": "Pizza?", "ko": "피자 드릴까요?"},
    item="PIZZA/PREMIUM",
    margin=2.0,
    incentive_cost=0.25,
    channels=("phone", "app"),
    valid_from=None,
    valid_until=None,
    lever=Lever(),
    prior=Prior(odds_ratio=2.0),
    rules=dict.fromkeys(LAYERS, ()),
    context_weights=(),
)
VOUCHER = replace(
    PIZZA, id="voucher", kind="retention", item="", margin=0.0, incentive_cost=6.0,
    prior=Prior(accept=0.3, churn_reduction=0.35),
)  # fmt: skip


def situation(scores: Scores = SCORES, as_of: datetime = NOW, **given: Any) -> Situation:
    known = {"churn.risk": scores.churn_risk, "at_risk": True, **given}
    declined = Past("pizza", "declined", "phone", microseconds(NOW) - 3 * 86_400_000_000, None)
    return Situation(as_of, "phone", scores, known, (declined,))


def ruled(*offers: Offer, at: Situation | None = None, assumptions: Assumptions = ASSUMPTIONS) -> Ruling:
    policy = Policy(offers, replace(GLOSSARY, assumptions=assumptions), FREE)
    return policy.arbitrate(at or situation(), Ledger(), 20, stated(policy))


def broken_down(ruling: Ruling) -> Breakdown:
    (row,) = range(len(ruling.weighed.places))
    return ruling.weighed.breakdown(row)


def ranked(ruling: Ruling) -> list[str]:
    return [one.offer.id for one in ruling.ranked]


def reasons(ruling: Ruling) -> dict[str, tuple[str, str]]:
    return {one.offer.id: (one.stop.layer, one.stop.sentence["en"]) for one in ruling.withheld}


def test_a_product_offer_is_worth_the_purchases_it_brings_less_what_it_costs() -> None:
    one = broken_down(ruled(PIZZA))
    # Odds of 1:4 become 2:4: a fifth would buy it anyway, a third buy it now. 0.1333·2.00 - 0.3333·0.25 - 0.02.
    assert (one.p_untreated, round(one.p_treated, 12)) == (0.2, round(1 / 3, 12))
    assert round(one.expected_incremental_profit, 4) == 0.1633


def test_what_is_given_back_was_not_sold() -> None:
    one = broken_down(ruled(replace(PIZZA, prior=Prior(odds_ratio=2.0, keep=0.75))))
    # Three quarters of a third, less three quarters of a fifth: 0.1·2.00 - 0.3333·0.25 - 0.02.
    assert (round(one.p_treated, 12), round(one.p_untreated, 12)) == (0.25, 0.15)
    assert round(one.expected_incremental_profit, 4) == 0.0967


def test_what_is_lent_and_lost_is_subtracted() -> None:
    lent, stated = replace(PIZZA, credit=30.0), replace(ASSUMPTIONS, credit_loss_rate=0.01)
    # A third take 30.00, of which a hundredth is lost.
    assert round(broken_down(ruled(lent, assumptions=stated)).credit_loss, 12) == 0.1
    lossy = Worth("revenue − credit loss", 100.0, {"credit_loss": 5.0})
    told = broken_down(ruled(lent, at=situation(replace(SCORES, worth=lossy)), assumptions=stated))
    assert round(told.credit_loss, 12) == 0.5


def test_a_retention_offer_is_worth_the_customers_it_keeps_less_what_it_costs() -> None:
    one = broken_down(ruled(VOUCHER))
    # Margin 120·0.25 = 30, six horizons: 180. Kept: 0.3·0.45·0.35 = 0.04725. 8.505 - 0.3·6 - 0.02.
    assert one.value == 180.0
    assert round(one.expected_incremental_profit, 12) == 6.685


def test_a_value_that_counts_margin_is_not_reduced_again() -> None:
    assert broken_down(ruled(VOUCHER, at=situation(replace(SCORES, value_measure="margin")))).margin == 120.0


def test_costs_are_taken_from_the_margin_of_what_is_brought() -> None:
    costly = Worth("revenue − cost to serve", 120.0, {"cost_to_serve": 20.0})
    # A quarter of 120 is margin, and 20 go to serving.
    assert broken_down(ruled(VOUCHER, at=situation(replace(SCORES, expected_value=100.0, worth=costly)))).margin == 10.0
    lost = replace(SCORES, expected_value=-10.0, worth=replace(costly, costs={"cost_to_serve": 130.0}))
    assert [one.offer for one in ruled(VOUCHER, at=situation(lost)).withheld] == [VOUCHER]


def test_where_the_chance_of_buying_anyway_comes_from_is_said() -> None:
    def from_where(item: str) -> tuple[float, str]:
        weighed = ruled(replace(PIZZA, item=item, margin=90.0, incentive_cost=0.0)).weighed
        return weighed.breakdown(0).p_untreated, weighed.sources[0]

    assert from_where("PIZZA/PREMIUM") == (0.2, "next-purchase model")
    assert from_where("BABY DIAPERS") == (0.02, "share of all customers who bought it within 28 days")
    assert from_where("NOBODY'S") == (0.0, "nobody bought it lately: taken as 0")


def test_next_is_the_likeliest_next_purchase() -> None:
    following = replace(PIZZA, item=NEXT)
    (one,) = ruled(following).ranked
    assert one.item == "FLUID MILK WHITE ONLY"
    nothing = ruled(following, at=situation(replace(SCORES, next_purchases=())))
    assert reasons(nothing) == {"pizza": ("applicability", "No next purchase is predicted.")}


def test_what_costs_more_than_it_brings_is_withheld_with_its_breakdown() -> None:
    ruling = ruled(replace(PIZZA, incentive_cost=5.0))
    assert reasons(ruling)["pizza"] == ("arbitration", "Costs more than it brings.")
    (one,) = ruling.withheld
    told = ruling.breakdown(one)
    assert told is not None
    assert told.expected_incremental_profit < 0
    # A third take it up, so that 0.2467 of gain pay for 0.73 each at most.
    assert one.stop.flip is not None
    assert [change.needed for change in one.stop.flip.changes] == [0.73]
    assert ranked(ruled(replace(PIZZA, incentive_cost=0.73))) == ["pizza"]
    assert ranked(ruled(replace(PIZZA, incentive_cost=0.75))) == []


def test_what_is_owed_is_made_first_whatever_it_costs() -> None:
    owed = replace(VOUCHER, id="redress", kind="service", owed=True, incentive_cost=500.0)
    assert ranked(ruled(PIZZA, owed)) == ["redress", "pizza"]
    unknown = situation(replace(SCORES, churn_risk=None))
    assert ranked(ruled(PIZZA, owed, at=unknown)) == ["redress", "pizza"]
    careful = replace(owed, rules={**PIZZA.rules, "eligibility": (RULES["not at_risk"],)})
    assert ranked(ruled(PIZZA, careful)) == ["pizza"]


def test_keeping_a_customer_whose_risk_is_unknown_cannot_be_counted() -> None:
    ruling = ruled(VOUCHER, at=situation(replace(SCORES, churn_risk=None)))
    assert reasons(ruling)["voucher"][0] == "arbitration"
    assert "unknown" in reasons(ruling)["voucher"][1]


def test_the_first_layer_that_fails_gives_the_reason() -> None:
    failing = {"eligibility": (), "applicability": (RULES["not at_risk"],), "suitability": (RULES["churn.risk > 0.2"],)}
    assert reasons(ruled(replace(PIZZA, rules=failing)))["pizza"] == ("applicability", "Not: not at_risk")
    passing = failing | {"applicability": (RULES["at_risk"],)}
    assert ranked(ruled(replace(PIZZA, rules=passing))) == ["pizza"]


def test_a_rule_over_something_unknown_withholds_and_names_it() -> None:
    careful = replace(PIZZA, rules={**PIZZA.rules, "eligibility": (RULES["churn.risk > 0.2"],)})
    (one,) = ruled(careful, at=situation(replace(SCORES, churn_risk=None))).withheld
    assert (one.stop.layer, one.stop.unknown) == ("eligibility", ("churn.risk",))


def test_a_rule_reads_the_past_of_its_own_offer() -> None:
    rested = {**PIZZA.rules, "suitability": (RULES["(offer.days_since_declined ?? 99) > 28"],)}
    assert ranked(ruled(replace(PIZZA, rules=rested), replace(PIZZA, id="other", item="BEER", rules=rested))) == [
        "other"
    ]


def test_an_offer_has_its_channels_and_its_days() -> None:
    assert reasons(ruled(replace(PIZZA, channels=("mail",))))["pizza"][1] == "Not offered over this channel."
    later = ruled(replace(PIZZA, valid_from=date(2018, 1, 3)))
    assert reasons(later)["pizza"] == ("eligibility", "Not offered before 2018-01-03.")
    over = ruled(replace(PIZZA, valid_until=date(2018, 1, 1)))
    assert reasons(over)["pizza"] == ("eligibility", "Offered until 2018-01-01 only.")
    assert ranked(ruled(replace(PIZZA, valid_from=NOW.date(), valid_until=NOW.date()))) == ["pizza"]


def test_the_conversation_and_the_lever_move_the_order_but_not_the_profit() -> None:
    same = replace(PIZZA, id="same", item="BEER")
    assert ranked(ruled(same, PIZZA)) == ["pizza", "same"]
    pushed = replace(same, lever=Lever(1.5, "A campaign", date(2018, 1, 2)))
    assert ranked(ruled(pushed, PIZZA)) == ["same", "pizza"]
    weight = Weight(RULES["at_risk"].when, 1.8, {"en": "x", "ko": "x"})
    spoken = replace(PIZZA, context_weights=(weight, replace(weight, weight=0.5)))
    ruling = ruled(pushed, spoken)
    assert ranked(ruling) == ["pizza", "same"]
    assert len({round(profit, 12) for profit in ruling.weighed.column("expected_incremental_profit")}) == 1


def test_what_is_owed_is_ordered_by_the_conversation_though_it_costs() -> None:
    owed = replace(VOUCHER, owed=True, kind="service", incentive_cost=50.0)
    weight = Weight(RULES["at_risk"].when, 1.8, {"en": "x", "ko": "x"})
    spoken = replace(owed, id="zz", context_weights=(weight,))
    ruling = ruled(owed, spoken)
    assert ranked(ruling) == ["zz", "voucher"]
    assert all(profit < 0 for profit in ruling.weighed.column("expected_incremental_profit"))


def test_of_two_offers_of_one_item_the_better_one_is_made() -> None:
    ruling = ruled(PIZZA, replace(PIZZA, id="dearer", margin=3.0))
    assert ranked(ruling) == ["dearer"]
    assert reasons(ruling)["pizza"] == ("arbitration", "Another offer of the same item ranks higher.")


# -- laws

ITEMS = ("PIZZA/PREMIUM", "GROUND COFFEE", "FLUID MILK WHITE ONLY", "BEER", NEXT)


@st.composite
def offers(draw: st.DrawFn) -> Offer:
    kind = draw(st.sampled_from(("product", "retention", "service")))
    share = st.floats(0.0, 1.0)
    rules = st.lists(st.sampled_from(list(RULES.values())), max_size=1).map(tuple)
    return replace(
        PIZZA,
        id=draw(st.from_regex(r"[a-f]{2}", fullmatch=True)),
        kind=kind,
        item=draw(st.sampled_from(ITEMS)) if kind == "product" else "",
        margin=draw(st.floats(0.0, 20.0)),
        incentive_cost=draw(st.floats(0.0, 10.0)),
        channels=draw(st.sampled_from((("phone",), ("phone", "app"), ("mail",)))),
        lever=Lever(draw(st.floats(0.5, 2.0)), "A campaign", date(2018, draw(st.integers(1, 12)), 1)),
        prior=Prior(odds_ratio=1.0 + draw(share), accept=draw(share), churn_reduction=draw(share)),
        rules={layer: draw(rules) for layer in LAYERS},
    )


MANY = st.lists(offers(), max_size=8, unique_by=lambda offer: offer.id)
SITUATIONS = st.builds(
    lambda risk, value, held: situation(replace(SCORES, churn_risk=risk, expected_value=value), at_risk=held),
    st.one_of(st.none(), st.floats(0.0, 1.0)),
    st.floats(0.0, 1e4),
    st.sampled_from((True, False, None)),
)


def said(stop: Stop) -> Any:
    return stop.flip and (stop.flip.say("en"), stop.flip.changes)


def told(ruling: Ruling) -> list[Any]:
    stops = [(one.offer.id, one.stop.layer, one.stop.sentence, said(one.stop)) for one in ruling.withheld]
    return [(one.offer.id, one.item, ruling.breakdown(one)) for one in ruling.ranked] + stops


@given(MANY, SITUATIONS, st.randoms(use_true_random=False))
def test_the_order_in_which_offers_are_written_does_not_matter(made: list[Offer], at: Situation, random: Any) -> None:
    mixed = list(made)
    random.shuffle(mixed)
    assert told(ruled(*mixed, at=at)) == told(ruled(*made, at=at))


@given(MANY, SITUATIONS)
def test_every_offer_is_either_ranked_or_withheld_once(made: list[Offer], at: Situation) -> None:
    ruling = ruled(*made, at=at)
    told = [one.offer.id for one in (*ruling.ranked, *ruling.withheld)]
    assert sorted(told) == sorted(offer.id for offer in made)


@given(MANY, SITUATIONS)
def test_what_is_ranked_pays_and_falls_in_priority(made: list[Offer], at: Situation) -> None:
    ruling = ruled(*made, at=at)
    rows = [ruling.weighed.breakdown(one.row) for one in ruling.ranked]
    assert all(row.expected_incremental_profit > 0 for row in rows)
    priorities = [row.priority for row in rows]
    assert priorities == sorted(priorities, reverse=True)
    items = [one.item for one in ruling.ranked if one.item]
    assert len(items) == len(set(items))


@given(MANY.filter(bool), SITUATIONS, st.floats(0.0, 50.0))
def test_a_higher_margin_never_lowers_a_rank(made: list[Offer], at: Situation, more: float) -> None:
    first, *rest = made
    before = ranked(ruled(first, *rest, at=at))
    after = ranked(ruled(replace(first, margin=first.margin + more), *rest, at=at))
    if first.id in before:
        assert after.index(first.id) <= before.index(first.id)


@given(MANY.filter(bool), SITUATIONS, st.floats(0.0, 50.0))
def test_a_higher_cost_never_raises_a_rank(made: list[Offer], at: Situation, more: float) -> None:
    first, *rest = made
    after = ranked(ruled(replace(first, incentive_cost=first.incentive_cost + more), *rest, at=at))
    if first.id in after:
        assert ranked(ruled(first, *rest, at=at)).index(first.id) <= after.index(first.id)
