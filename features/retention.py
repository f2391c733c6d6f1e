"""How long what was told is kept, by kind of event, as the business wrote it in `privacy.toml`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

from features.aggregates import Aggregate
from features.definitions import FEATURES
from features.events import KINDS
from features.expiry import LOGS, Expiry
from features.tables import Table, meant, read

FILE = "privacy.toml"
# Nothing goes before it may: a month has at most 31 days, a year 366.
_DAYS = {"day": 1, "days": 1, "month": 31, "months": 31, "year": 366, "years": 366}
_KEPT = (*(kind for kind in KINDS if kind != "void"), *LOGS)


@dataclass(frozen=True, slots=True)
class Retention:
    """After how many days each kind of event goes, and each log; a kind that isn't named is kept for good."""

    days: Mapping[str, int]

    def cuts(self, now: datetime) -> dict[str, datetime]:
        """Tell before which moment each kind is too old."""
        return {kind: now - timedelta(days=days) for kind, days in self.days.items()}


def load_retention(folder: Path) -> Retention:
    """Read a playbook's `privacy.toml`; without one, everything is kept for good.

    Raises PlaybookError when it doesn't hold together.
    """
    if not (folder / FILE).exists():
        return Retention({})
    file = read(folder / FILE)
    told = file.table("retention", required=True)
    file.end()
    for kind in told.names():
        if kind not in _KEPT:
            told.refuse(f"expected kinds among {', '.join(_KEPT)}; found {kind!r}{meant(kind, _KEPT)}")
    return Retention({kind: _days(told, kind) for kind in told.names()})


def shortest(kind: str) -> int:
    """Tell for how many days events of a kind must be kept, so that no window of a feature loses any of them."""
    parts = (part for feature in FEATURES for part in feature.inputs if isinstance(part, Aggregate))
    return max((part.window_days or 0 for part in parts if kind in part.selection.kinds), default=0)


def too_short(retention: Retention) -> Iterator[tuple[str, str]]:
    """Say which kinds go before the features that count them are done with them."""
    for kind, days in retention.days.items():
        needed = 0 if kind in LOGS else shortest(kind)
        if days < needed:
            yield kind, f"kept {days} days, yet features count back {needed}: they would change without a word"


def retain(
    expiry: Expiry, retention: Retention, now: datetime, apply: bool, on_progress: Callable[[str, int], None]
) -> dict[str, int]:
    """Count what is too old by now, by kind, and delete it where that is to be applied."""
    found, oldest = dict.fromkeys(retention.days, 0), expiry.oldest()
    for kind, cut in retention.cuts(now).items():
        if oldest.get(kind, now) >= cut:
            continue
        told = lambda gone, kind=kind: on_progress(kind, gone)  # noqa: E731
        found[kind] = expiry.delete(kind, cut, now, told) if apply else expiry.count(kind, cut)
    # Whatever is deleted now: a run before may have broken off in between.
    if apply and retention.days:
        found["references"] = expiry.forget_names()
    return found


def _days(table: Table, kind: str) -> int:
    text = table.text(kind)
    number, _, unit = text.partition(" ")
    if not (number.isdecimal() and int(number) > 0 and unit in _DAYS):
        _refuse(table, kind, text)
    return int(number) * _DAYS[unit]


def _refuse(table: Table, kind: str, text: str) -> NoReturn:
    table.refuse(f'expected {kind} as "90 days", "18 months" or "10 years", found {text!r}')
