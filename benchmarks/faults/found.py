"""What a fault led to, counted, and the table of all of them."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

_COLUMNS = ("fault", "caused", "answered", "refused", "lost", "double", "overshot", "wrong", "recovery_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One fault: how often it was caused, and what was counted while it was and after.

    `answered` are requests answered with 200, `refused` those rightly told that they can't be; `lost` are answered ones
    that the store doesn't hold, `double` what it holds twice, `overshot` proposals above a cap, and `wrong` whatever
    was promised not to happen. `recovery_s` is the longest time, in seconds, until the next answer.
    """

    fault: str
    caused: int
    answered: int = 0
    refused: int = 0
    lost: int = 0
    double: int = 0
    overshot: int = 0
    wrong: int = 0
    recovery_s: float | None = None
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether everything was as promised."""
        return not (self.lost or self.double or self.overshot or self.wrong)


def say(found: Iterable[Found], as_json: bool) -> None:
    """Print the findings."""
    if as_json:
        print(json.dumps([asdict(one) | {"holds": one.holds} for one in found], indent=1))
        return
    made = Table(title="Faults, caused for real", title_justify="left")
    for column in (*_COLUMNS, "note"):
        made.add_column(column.replace("_s", ", s"), justify="left" if column in ("fault", "note") else "right")
    for one in found:
        told = asdict(one)
        recovery = "" if one.recovery_s is None else f"{one.recovery_s:.2f}"
        made.add_row(one.fault, *(f"{told[name]:,}" for name in _COLUMNS[1:-1]), recovery, one.note)
    Console(highlight=False, width=180).print(made)
