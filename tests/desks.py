"""A desk over a small history, with a scorer that needs no models."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

from features.contract import FeatureRow, row_of
from features.definitions import NAMES
from features.events import Interaction, event_id
from features.history import History
from features.home import ROOT
from features.identity import IdentityLink, Reference
from features.packed import CustomerEvents
from features.responses import Responses
from models.basis import Basis
from models.effects import Effects
from models.population import Active
from serving.desk import Desk
from serving.learned import Learned
from serving.playbook import Playbook, load_playbook
from serving.policy import Policy
from serving.scores import NextPurchase, Reason, Scores, Worth

NOW = datetime(2018, 1, 2, 9, 30, tzinfo=UTC)
SCORES = Scores(
    churn_risk=0.45,
    expected_value=120.0,
    value_low=60.0,
    value_high=200.0,
    value_measure="revenue",
    worth=Worth("revenue", 120.0),
    tier="high",
    next_purchases=(
        NextPurchase("FLUID MILK WHITE ONLY", "type", 0.5, True),
        NextPurchase("GROUND COFFEE", "type", 0.1, False),
    ),
    chances={"FLUID MILK WHITE ONLY": 0.5, "GROUND COFFEE": 0.1, "PIZZA/PREMIUM": 0.2, "BEER": 0.2},
    population={"BABY DIAPERS": 0.02, "DRY DOG FOOD PREMIUM (ALPO/PUR": 0.15},
    horizon_days=28,
    active_days=56,
    churn_reasons=(Reason("overdue", 2.5, 0.8, {"en": "Overdue: 2.5 gaps", "ko": "구매 지연: 2.5배"}),),
    value_reasons=(Reason("spend_91", 300.0, 1.2, {"en": "Spent: 300.00", "ko": "구매 금액: 300.00"}),),
)
BASIS = Basis(28, Active("silence", 56), NOW - timedelta(days=2), NOW - timedelta(days=30))
DEFAULT = replace(
    SCORES, churn_risk=None, expected_value=15.0, tier="base", note="newcomer", churn_reasons=(), value_reasons=()
)


class FakeScorer:
    """Gives everyone who ever bought the same scores, but for a value that is their spend of a quarter."""

    bundle = SimpleNamespace(basis=BASIS, effects=Effects(), grade="B")
    bundle_hash = "0" * 32
    bundle_version = "7"
    default = DEFAULT

    def __init__(self, scores: Scores = SCORES) -> None:
        self.scores = scores

    def score(self, events: CustomerEvents, as_of: datetime, whole: bool = True) -> tuple[Scores, FeatureRow]:
        row = row_of(events, as_of)
        known = row.as_dict()
        if known["days_since_purchase"] is None:
            return self.default, row
        return replace(self.scores, expected_value=float(known["spend_91"] or 0.0)), row

    def score_many(self, customers: Sequence[CustomerEvents], as_of: datetime) -> list[Scores]:
        return [self.score(events, as_of, whole=False)[0] for events in customers]


def playbook() -> Playbook:
    """The playbook that is shipped."""
    return load_playbook(ROOT / "playbook", NAMES)


def stated(policy: Policy) -> Learned:
    """What a playbook says of the offers, with no outcome yet."""
    return Learned(policy.offers, playbook().experiment, Effects(), Responses())


def ids() -> Callable[[], UUID]:
    numbers: Iterator[int] = iter(range(1, 10_000))
    return lambda: UUID(int=next(numbers))


def shopped(customer: str, amount: float, days_ago: float, kind: str = "purchase", product: str = "p1") -> Interaction:
    when = NOW - timedelta(days=days_ago)
    return Interaction(
        id=event_id(customer, kind, product, str(days_ago)),
        source="till",
        source_reference=f"{customer}{days_ago}",
        reference=Reference("household", customer),
        kind=kind,
        occurred_at=when,
        recorded_at=when,
        channel="store",
        product=product,
        amount=amount,
    )


def stocked(history: History) -> History:
    """Two households, the first with a phone number; the second spends more."""
    history.append([shopped("7", 20.0, days) for days in (3, 10, 17, 24, 40, 60)], None)
    history.append([shopped("8", 90.0, days) for days in (2, 30, 65)], None)
    phone = Reference("phone", "+12024561111")
    history.link([IdentityLink(Reference("household", "7"), phone, NOW - timedelta(days=30))])
    return history


def desk_over(history: History, scores: Scores = SCORES) -> Desk:
    return Desk(stocked(history), FakeScorer(scores), playbook(), lambda: NOW, ids())
