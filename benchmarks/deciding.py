"""How long a decision takes with everything in it, and whether decisions come out the same again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from statistics import median

from benchmarks.lookups import Customers, filled, frozen
from benchmarks.made import AS_OF
from benchmarks.report import Row
from benchmarks.timing import against, none, quantile, seconds, within
from features.definitions import NAMES
from features.expressions import compile_rule
from features.home import home
from models.bundle import load
from serving.bundle import fetch
from serving.decision import Decider
from serving.desk import Desk
from serving.offers import NEXT, Offer, Rule
from serving.playbook import Playbook, load_playbook
from serving.replay import Replayer
from serving.requests import Ask, Report
from serving.scorer import Scorer

_LIVE = AS_OF + timedelta(days=1)
_MOST_MEDIAN, _MOST_TAIL, _MOST_GROWTH = 1.5, 4.0, 2.0
_TOPICS: tuple[dict[str, str], ...] = ({}, {"topic": "complaint"}, {"topic": "quick_meals"}, {"pet": "dog"})


def latency(work: Path, calls: int) -> list[Row]:
    """Time decisions in process: a fresh row, scores, the kept ranking, offers, reasons, the ledger and the log."""
    times = {}
    for offers in (50, 1_000):
        with opened(work / f"latency-{offers}", offers) as (desk, customers):
            for name in customers.names:
                desk.decide(Ask(customer=name, channel="phone"))
            with frozen():
                asked = islice(cycle(customers.names), calls)
                ask = [Ask(customer=name, channel="phone") for name in asked]
                times[offers] = [1000 * seconds(partial(desk.decide, one)) for one in ask]
                each = customers.events.height / len(customers.names)
    few, many = times[50], times[1_000]
    said = f"a customer of {each:.0f} events, 50 offers"
    return [
        within(f"decision, {said}, median of {calls:,}, ms", median(few), _MOST_MEDIAN),
        within(f"decision, {said}, 99th percentile, ms", quantile(few, 0.99), _MOST_TAIL),
        against("decision, 1,000 offers against 50, median, ms", median(many), median(few), _MOST_GROWTH),
        against(
            "decision, 1,000 offers against 50, 99th percentile, ms", quantile(many, 0.99), quantile(few, 0.99), None
        ),
    ]


def replays(work: Path, count: int) -> list[Row]:
    """Decide for many in every language and over every channel, report outcomes, and make all decisions again."""
    channels = ("phone", "email", "app", "store")
    with opened(work / "replays", 50) as (desk, customers):
        made = []
        for number, name in zip(range(count), cycle(customers.names), strict=False):
            ask = Ask(
                customer=name, channel=channels[number % 4], context=_TOPICS[number % 3 % len(_TOPICS)],
                offers=1 + number % 3, language="ko" if number % 2 else "en", outbound=number % 5 == 0,
            )  # fmt: skip
            body = desk.decide(ask)
            made.append(body["decision_id"])
            if body["offers"] and number % 3 == 0:
                status = "declined" if number % 2 else "presented"
                desk.outcome(Report(decision_id=made[-1], offer=body["offers"][0]["offer"], status=status))
        scorer, decider = champion(), Decider.of(desk.playbook)
        replayer = Replayer(desk.history, lambda _: scorer, lambda _: decider)
        differing = sum(not replayer.replay(one).same for one in made)
    return [none(f"replays that differ, of {count:,}", differing)]


@contextmanager
def opened(folder: Path, offers: int) -> Iterator[tuple[Desk, Customers]]:
    """Open a desk over simulated customers with so many offers, and the champion of this home."""
    folder.mkdir(parents=True)
    customers, calls = filled(folder), count()

    def clock() -> datetime:
        return _LIVE + timedelta(milliseconds=50 * next(calls))

    scorer = champion()
    playbook = many(load_playbook(home().playbook, NAMES), offers, scorer)
    try:
        yield Desk(customers.history, scorer, playbook, clock), customers
    finally:
        customers.history.close()


def champion() -> Scorer:
    """Load the champion of this home."""
    return Scorer(load(*fetch(home())))


def many(playbook: Playbook, count: int, scorer: Scorer) -> Playbook:
    """Make so many offers of those shipped: each sells another item, pays otherwise, and has a rule of its own."""
    model = scorer.bundle.models.next_purchase
    items = model.table.items if model else ("",)
    offers = [
        _varied(offer, number, items[number % len(items)], playbook)
        for number, offer in zip(range(count), cycle(playbook.offers), strict=False)
    ]
    return replace(playbook, offers=tuple(offers))


def _varied(offer: Offer, number: int, item: str, playbook: Playbook) -> Offer:
    text = f"(features.spend_91 ?? 0) >= {number * 0.37:.2f}"
    own = Rule(
        compile_rule(text, playbook.glossary.vocabulary, "here"), {"en": "Spends too little.", "ko": "지출이 적습니다."}
    )
    return replace(
        offer, id=f"{offer.id}_{number}", item=item if offer.item not in ("", NEXT) else offer.item,
        margin=offer.margin * (1 + number % 7 / 10), incentive_cost=offer.incentive_cost * (1 + number % 5 / 10),
        rules={**offer.rules, "suitability": (*offer.rules["suitability"], own)},
    )  # fmt: skip
