"""Who is compared with whom: people from the log of decisions, or from a file of randomised data."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from features.clock import DAY
from features.errors import InputError, NotEnoughData
from features.feature import Array
from models.linear import signed_logs
from training.columns import numbers
from training.decision_log import DecisionLog, Realised
from training.lift import Lift, People, by_person, enough, lift, lift_once, needed

MONEY = ("margin", "profit net of incentives")


@dataclass(frozen=True)
class Groups:
    """People by row, each in a group: arrays of shape (rows,), and for every metric its values.

    `before` is (rows, covariates); `day` the day from which on what a row tells is known. `left_out` counts the rows of
    a file that don't tell enough.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    day: npt.NDArray[np.int64]
    before: Array
    metrics: Mapping[str, Array]
    left_out: int = 0

    @property
    def counted(self) -> Mapping[str, int]:
        """How many people each group has."""
        return Counter(dict(zip(self.names, self.groups, strict=True)).values())


@dataclass(frozen=True)
class Compared:
    """A group against the control, in one metric; `why` it is too early to tell, or to be taken as rough."""

    group: str
    metric: str
    lift: Lift | None
    why: str | None

    def as_dict(self) -> dict[str, object]:
        """The comparison as JSON values."""
        told = self.lift.as_dict() if self.lift else {}
        return {"group": self.group, "metric": self.metric, **told, "doubt": self.why}


def compare(people: Groups, control: str, once: bool = False) -> Iterator[Compared]:
    """Compare every group with the control, metric by metric; what is looked at `once` has intervals for that look."""
    names, groups = np.array(people.names), np.array(people.groups)
    for group in sorted(set(people.groups) - {control}):
        which = (groups == group) | (groups == control)
        for metric, values in people.metrics.items():
            told = by_person(
                names[which].tolist(), groups[which] == group, values[which], people.before[which], people.day[which]
            )
            yield (_once if once else _compared)(group, metric, told)


def _compared(group: str, metric: str, told: People) -> Compared:
    try:
        return Compared(group, metric, lift(metric, told), None)
    except NotEnoughData as error:
        return Compared(group, metric, None, str(error))


def _once(group: str, metric: str, told: People) -> Compared:
    try:
        found = lift_once(metric, told)
    except NotEnoughData as error:
        return Compared(group, metric, None, str(error))
    if enough(told):
        return Compared(group, metric, found, None)
    rough = f"so lopsided that {needed(told):,} people in each group would be needed; take its interval as rough"
    return Compared(group, metric, found, rough)


def from_log(log: DecisionLog, came: Realised, days: int, salt: str) -> Groups:
    """Take everybody once, from the first decision under a salt, where the days after it are over.

    The money and the purchases are those of these days, less what was paid for all offers taken up in them.
    """
    order = np.argsort(log.as_of, kind="stable")
    first: dict[str, int] = {}
    for place in order.tolist():
        if log.salts[place] == salt:
            first.setdefault(log.customers[place], place)
    incentives = _paid(log, came, first, days * DAY)
    places = np.array([place for place in first.values() if came.complete[place]], dtype=np.int64)
    names = tuple(log.customers[place] for place in places.tolist())
    margin, paid = came.margin[places], np.array([incentives[name] for name in names])
    return Groups(
        names, tuple(log.groups[place] for place in places.tolist()), log.as_of[places] // DAY + days,
        _covariates(log, came, places),
        {"retention": came.stayed[places], "purchases": came.purchases[places], MONEY[0]: margin,
         MONEY[1]: margin - paid},
    )  # fmt: skip


def _covariates(log: DecisionLog, came: Realised, places: npt.NDArray[np.int64]) -> Array:
    """What is known of people before they are treated: what they brought, risk and value as predicted; logs tame tails.

    What isn't known counts as the mean of those of whom it is.
    """
    filled = [_filled(one[places]) for one in (came.before, log.risks, log.worths)]
    return np.stack([*filled, signed_logs(filled[0]), signed_logs(filled[2])], axis=1)


def _paid(log: DecisionLog, came: Realised, first: Mapping[str, int], length: int) -> dict[str, float]:
    """Sum what was paid for each person's offers within the days after the first decision."""
    paid = dict.fromkeys(first, 0.0)
    for place, name in enumerate(log.customers):
        begun = int(log.as_of[first[name]]) if name in first else None
        if begun is not None and begun <= int(log.as_of[place]) < begun + length:
            paid[name] += float(came.incentives[place])
    return paid


def from_file(
    frame: pl.DataFrame, group: str, outcomes: Sequence[str], before: Sequence[str], person: str | None, at: str | None
) -> Groups:
    """Take the rows of a table; unknown outcomes are left out, an unknown covariate counts as its mean.

    Raises InputError where a column isn't there or isn't of numbers.
    """
    _check_names(frame, [group, *outcomes, *before, *(name for name in (person, at) if name)])
    told = {name: numbers(frame[name], "--outcome") for name in outcomes}
    wanted = pl.all_horizontal(pl.col(name).is_not_null() for name in (group, *([person] if person else [])))
    usable = frame.select(wanted).to_series().to_numpy() & np.all([np.isfinite(one) for one in told.values()], axis=0)
    if not usable.any():
        raise InputError(f"expected rows with {', '.join([group, *outcomes])}, found none; name other columns")
    known = frame.with_row_index("\0row").filter(pl.Series(usable))
    covariates = [_filled(numbers(known[name], "--before")) for name in before]
    return Groups(
        tuple(known[person or "\0row"].cast(pl.String)), tuple(known[group].cast(pl.String)), _days(known, at),
        np.stack(covariates, axis=1) if covariates else np.zeros((known.height, 0)),
        {name: one[usable] for name, one in told.items()}, int((~usable).sum()),
    )  # fmt: skip


def _filled(told: Array) -> Array:
    """Let what isn't known count as the mean of what is."""
    known = np.isfinite(told)
    return np.where(known, told, told[known].mean() if known.any() else 0.0)


def _check_names(frame: pl.DataFrame, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(f"expected the columns {', '.join(missing)}, found {', '.join(frame.columns)}; name others")


def _days(frame: pl.DataFrame, at: str | None) -> npt.NDArray[np.int64]:
    """Number the days on which rows became known; all the same where nothing tells."""
    if at is None:
        return np.zeros(frame.height, dtype=np.int64)
    column = frame[at]
    if column.dtype == pl.String:
        column = column.str.to_datetime(strict=False, time_zone="UTC")
    if column.null_count():
        found = frame[at].filter(column.is_null())[0]
        raise InputError(
            f"expected a date or a whole number in --at {at} of every row, found {found!r} ({column.null_count():,}"
            " such rows); leave these rows out"
        )
    if column.dtype.is_numeric():
        return column.cast(pl.Int64).to_numpy()
    return column.dt.epoch("d").cast(pl.Int64).to_numpy()
