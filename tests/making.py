"""Small histories: by hand, and at random with everything that hurts in them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from features.decisions import Window
from features.events import CHANNELS, KINDS, LARGEST, Interaction, event_id
from features.history import History
from features.identity import Reference

# The engines that a store can be on.
BOTH = ("sqlite", "postgresql")
AS_OF = datetime(2024, 3, 1, 12, tzinfo=UTC)
CATALOGUE = [
    {"product": f"p{n}", "name": f"Product {n}", "type": f"t{n % 4}", "category": f"c{n % 2}", "department": "d"}
    for n in range(6)
] + [{"product": "ünïcödé 우유", "name": "", "type": "", "category": "우유", "department": ""}]
_PRODUCTS = [row["product"] for row in CATALOGUE] + ["", "not in the catalogue", "age", "income"]
_AGES = [
    timedelta(0), timedelta(microseconds=1), timedelta(days=28), timedelta(days=28, microseconds=1),
    timedelta(days=91), timedelta(days=1), timedelta(days=366), timedelta(days=20_000), timedelta(days=-3),
]  # fmt: skip
_OFFSETS = [0, 3600, 7200, -18_000, 34_200, 45_900, -43_200]
_AMOUNTS = st.one_of(
    st.sampled_from([0.0, -1.5, 0.0001, LARGEST * 1.0, -LARGEST * 1.0, 1e-9]),
    st.floats(-1e6, 1e6, allow_nan=False),
)


def log(history: History, decision_id: str, customer: str, made_at: datetime, body: str) -> None:
    """Write a decision down that holds no contact."""
    with history.decisions.making([customer], Window(made_at, made_at)) as making:
        making.write(decision_id, customer, made_at, body, ())


def happened(number: int, **given: Any) -> Interaction:
    """Make one purchase of customer a day before `AS_OF`, but for what is given."""
    plain: dict[str, Any] = {
        "id": event_id("test", str(number)),
        "source": "test",
        "source_reference": str(number),
        "reference": Reference("customer", "a"),
        "kind": "purchase",
        "occurred_at": AS_OF - timedelta(days=1),
    }
    made = plain | given
    made.setdefault("recorded_at", made["occurred_at"])
    return Interaction(**made)


@st.composite
def interactions(draw: st.DrawFn, customers: tuple[str, ...] = ("a", "b", "ümläut 고객")) -> Interaction:
    age = draw(st.one_of(st.sampled_from(_AGES), st.timedeltas(timedelta(days=-5), timedelta(days=800))))
    late = draw(st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=40)]))
    return happened(
        draw(st.integers(0, 10**9)),
        reference=Reference("customer", draw(st.sampled_from(customers))),
        kind=draw(st.one_of(st.just("purchase"), st.sampled_from(list(KINDS)))),
        channel=draw(st.sampled_from(CHANNELS)),
        product=draw(st.sampled_from(_PRODUCTS)),
        place=draw(st.sampled_from(["", "north", "south"])),
        quantity=draw(st.sampled_from([0.0, 1.0, 2.5, -1.0])),
        amount=draw(_AMOUNTS),
        margin=draw(st.one_of(st.none(), _AMOUNTS)),
        discount=draw(st.sampled_from([0.0, 0.5, 3.0])),
        occurred_at=(AS_OF - age).astimezone(timezone(timedelta(seconds=draw(st.sampled_from(_OFFSETS))))),
        recorded_at=AS_OF - age + late,
    )


def histories() -> st.SearchStrategy[list[Interaction]]:
    return st.lists(interactions(), max_size=40)


@st.composite
def tellings(draw: st.DrawFn, moments: list[datetime]) -> Interaction:
    """Draw what is told of one of three events: about whom, whether it is withdrawn, and when that was recorded."""
    return happened(
        draw(st.integers(1, 3)),
        reference=Reference("customer", draw(st.sampled_from("ab"))),
        kind=draw(st.sampled_from(["purchase", "purchase", "void"])),
        amount=draw(st.sampled_from([1.0, 2.0])),
        occurred_at=AS_OF - timedelta(days=30),
        recorded_at=draw(st.sampled_from(moments)),
    )


def filled(history: History, happenings: list[Interaction]) -> History:
    history.put_products(CATALOGUE)
    history.append(happenings, None)
    return history
