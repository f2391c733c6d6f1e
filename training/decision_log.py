"""The log of decisions as columns: who was in which group, what was served and how likely that was, and what came."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from features.clock import microseconds
from features.contract import CONTRACT
from features.decisions import told_in
from features.feature import Array
from features.history import History
from features.known import Known
from training import labels
from training.costs import Costs

SILENCE, BY_LOT = "", "random"
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stated:
    """What was said of an offer when it was weighed: its item, if it sells one, and the playbook's own priors.

    `untreated` is the probability of what is wished for without it, and `change` by how much that is stated to change;
    `propensity` is the stated share of takers and `expected_propensity` that by all that was known, `incentive` what
    each taker costs, in currency.
    """

    item: str
    untreated: float
    change: float
    propensity: float
    expected_propensity: float
    incentive: float


@dataclass(frozen=True)
class DecisionLog:
    """Logged decisions as columns, oldest first; arrays are of shape (decisions,).

    `customers` are canonical references, which groups are drawn by; `as_of` is in microseconds. An action is the offer
    served first of those that aren't owed, or `SILENCE`; `alone` tells that nothing could ride along with whatever was
    drawn, `probabilities` is how likely it was, `arms` each action that could have been served with its probability.
    `rows` are the features, (decisions, features), NaN where unknown; `stated` is what was said of every offer that was
    weighed, `risks` the risk of leaving and `worths` the expected value, NaN where unknown.
    """

    ids: tuple[str, ...]
    customers: tuple[str, ...]
    as_of: Whole
    groups: tuple[str, ...]
    salts: tuple[str, ...]
    actions: tuple[str, ...]
    alone: Flags
    probabilities: Array
    arms: tuple[Mapping[str, float], ...]
    rows: Array
    stated: tuple[Mapping[str, Stated], ...]
    risks: Array
    worths: Array

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, which: Flags) -> "DecisionLog":
        """Keep some decisions."""
        places = np.flatnonzero(which)
        kept: dict[str, Any] = {
            name: value[places] if isinstance(value, np.ndarray) else tuple(value[place] for place in places.tolist())
            for name, value in vars(self).items()
        }
        return DecisionLog(**kept)


@dataclass(frozen=True)
class Realised:
    """What came within some days after each decision; arrays of shape (decisions,).

    `complete` tells whether all of these days are known by now; what isn't complete holds what came so far. Money is in
    currency: `margin` what the customer brought less what serving cost, `incentives` what was paid for offers taken up,
    `before` the margin of as many days before. `purchases` counts lines, `stayed` is 1 or 0; `bought` holds the pairs
    (decision's place, item) that were bought.
    """

    complete: Flags
    margin: Array
    incentives: Array
    before: Array
    purchases: Array
    stayed: Array
    bought: frozenset[tuple[int, str]]

    @property
    def profit(self) -> Array:
        """The margin net of incentives."""
        return self.margin - self.incentives

    def only(self, which: Flags) -> "Realised":
        """Keep some decisions."""
        place = {int(old): new for new, old in enumerate(np.flatnonzero(which))}
        pairs = frozenset((place[old], item) for old, item in self.bought if old in place)
        arrays: dict[str, Any] = {
            name: value[which] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return Realised(**arrays, bought=pairs)


def decision_log(history: History, until: datetime | None = None) -> DecisionLog:
    """Read the decisions made before a moment; those of a form that told no probabilities are left out."""
    bodies = map(json.loads, history.decisions.bodies(until=until))
    read = [_read(body) for body in bodies if _usable(body)]
    columns = list(zip(*read, strict=True)) if read else [()] * len(_FIELDS)
    told = dict(zip(_FIELDS, columns, strict=True))
    numbers = {name: np.array(told[name], dtype=np.float64) for name in ("probabilities", "risks", "worths")}
    rows = np.array(told["rows"], dtype=np.float64).reshape(len(read), len(CONTRACT.names))
    as_of, alone = np.array(told["as_of"], dtype=np.int64), np.array(told["alone"], dtype=bool)
    whole: dict[str, Any] = {**told, **numbers, "as_of": as_of, "alone": alone, "rows": rows}
    return DecisionLog(**whole)


@dataclass(frozen=True)
class Yardstick:
    """What counts as staying, buying and bringing.

    `days` is the horizon; `kind` the kind of churn ("silence" or "contract"), `level` the catalogue level of items;
    `column` ("amount" or "margin") times `rate` is what is brought, before `costs`.
    """

    days: int
    kind: str
    level: str
    column: str
    rate: float
    costs: Costs

    @classmethod
    def of(cls, manifest: Mapping[str, Any], margin_rate: float) -> "Yardstick":
        """Take a bundle's own; revenue counts by the glossary's `margin_rate`."""
        margin = manifest["value_measure"] == "margin"
        return cls(
            manifest["horizon"]["days"], manifest["active"]["kind"], str(manifest["level"] or "type"),
            "margin" if margin else "amount", 1.0 if margin else margin_rate, Costs.read(manifest),
        )  # fmt: skip


def realised(log: DecisionLog, known: Known, by: Yardstick, tries: Mapping[tuple[str, str], bool]) -> Realised:
    """Find what came after each decision of a log, by all that is known.

    `tries` tells of every offer that was made, by (decision, offer), whether it was taken up.
    """
    span, start = timedelta(days=by.days), labels.EPOCH
    length = span // timedelta(microseconds=1)
    names, places = _by_now(known, log.customers), tuple(map(str, range(len(log))))
    after, earlier = (labels.aligned(known, names, moments) for moments in (log.as_of, log.as_of - length))
    cost = sum(by.costs.came(after, places, start, span).values(), np.zeros(len(log)))
    incentives = [
        sum(one.incentive * tries.get((name, offer), False) for offer, one in said.items())
        for name, said in zip(log.ids, log.stated, strict=True)
    ]
    return Realised(
        complete=log.as_of + length <= microseconds(known.as_of),
        margin=labels.value(after, places, start, span, by.column) * by.rate - cost,
        incentives=np.array(incentives, dtype=np.float64),
        before=labels.value(earlier, places, start, span, by.column) * by.rate,
        purchases=labels.purchases(after, places, start, span),
        stayed=1.0 - labels.left(after, by.kind, places, start, span),
        bought=frozenset((int(place), item) for place, item in labels.bought(after, start, span, by.level)),
    )


def _by_now(known: Known, customers: tuple[str, ...]) -> tuple[str, ...]:
    """Name the customers that references belong to by now: some have been joined to others since."""
    whose = dict(known.events.select("reference", "customer").unique().iter_rows())
    return tuple(whose.get(name, name) for name in customers)


def _usable(body: Mapping[str, Any]) -> bool:
    # Without a model nothing was left to chance, or could have been served but what is owed.
    return "arms" in body and not body.get("degraded") and body["row"]["contract"] == CONTRACT.definitions


_FIELDS = (
    "ids", "customers", "as_of", "groups", "salts", "actions", "alone", "probabilities", "arms", "rows",
    "stated", "risks", "worths",
)  # fmt: skip


def _read(body: Mapping[str, Any]) -> tuple[Any, ...]:
    """Take what the log holds of a decision, in the order of `_FIELDS`."""
    served = [one["offer"] for one in body["offers"] if not one["owed"]]
    return (
        body["decision_id"], body["customer"], microseconds(datetime.fromisoformat(body["as_of"])),
        body["experiment"]["group"], body["experiment"]["salt"], served[0] if served else SILENCE,
        body["experiment"]["group"] == BY_LOT or body["requested_offers"] == 1, body["chosen_probability"],
        {one["offer"] or SILENCE: one["probability"] for one in body["arms"]},
        [_known(value) for value in body["row"]["values"]],
        {one["offer"]: _stated(one) for one in told_in(body) if one["breakdown"]},
        *(_known(body["scores"][name]) for name in ("churn_risk", "expected_value")),
    )  # fmt: skip


def _known(value: float | None) -> float:
    return np.nan if value is None else value


def _stated(one: Mapping[str, Any]) -> Stated:
    breakdown = one["breakdown"]
    return Stated(
        one.get("item") or "", breakdown["p_untreated"], breakdown["stated_change"], breakdown["stated_propensity"],
        breakdown["propensity"], breakdown["incentive"],
    )  # fmt: skip
