"""From where on health is something to act on: the business's own numbers, from `health.toml` where there is one."""

from dataclasses import dataclass
from pathlib import Path

from features.drift import DRIFTED
from features.tables import Table, read


@dataclass(frozen=True)
class Thresholds:
    """What may be before somebody has to act; shares are from 0 to 1.

    `confidence` is that of every interval; below `fewest` customers nothing is judged. What came may be `ratio` times
    what was said, or one `ratio`th of it, and `slack` more in a fifth of the customers; the calibration slope may be
    off by `slope` either way. Ranking, coverage and hits may fall by `loss_of_order`, `loss_of_coverage` and
    `loss_of_hits` below what was promised. A feature has drifted above `index` and `beyond_usual` times the most that
    it moved before. A bundle is old after some horizons. Acceptance may be off by `acceptance` times either way.
    """

    confidence: float = 0.99
    fewest: int = 50
    ratio: float = 1.25
    slack: float = 0.02
    slope: float = 1.5
    loss_of_order: float = 0.05
    loss_of_coverage: float = 0.1
    loss_of_hits: float = 0.1
    index: float = DRIFTED
    beyond_usual: float = 2.0
    watch_horizons: float = 6.0
    act_horizons: float = 13.0
    acceptance: float = 2.0


def load_thresholds(path: Path) -> Thresholds:
    """Read `health.toml`; what it doesn't say, and all where it isn't there, is as by default.

    Raises PlaybookError when it doesn't hold together.
    """
    if not path.exists():
        return Thresholds()
    file, usual = read(path), Thresholds()
    predictions, drift, age, offers = (file.table(name) for name in ("predictions", "drift", "age", "offers"))
    found = Thresholds(
        confidence=file.number("confidence", 0.5, 0.9999, usual.confidence),
        fewest=file.whole("fewest", 10, 1_000_000) or usual.fewest,
        ratio=predictions.number("ratio", 1.0, 10.0, usual.ratio),
        slack=predictions.number("slack", 0.0, 1.0, usual.slack),
        slope=predictions.number("slope", 1.0, 10.0, usual.slope),
        **{name: predictions.number(name, 0.0, 1.0, getattr(usual, name)) for name in _LOSSES},
        index=drift.number("index", 0.0, 100.0, usual.index),
        beyond_usual=drift.number("beyond_usual", 1.0, 100.0, usual.beyond_usual),
        watch_horizons=age.number("watch_horizons", 1.0, 10_000.0, usual.watch_horizons),
        act_horizons=age.number("act_horizons", 1.0, 10_000.0, usual.act_horizons),
        acceptance=offers.number("acceptance", 1.0, 100.0, usual.acceptance),
    )
    for table in (file, predictions, drift, age, offers):
        table.end()
    _check_order(age, found)
    return found


_LOSSES = ("loss_of_order", "loss_of_coverage", "loss_of_hits")


def _check_order(age: Table, found: Thresholds) -> None:
    if found.watch_horizons > found.act_horizons:
        age.refuse(
            f"expected watch_horizons of at most act_horizons ({found.act_horizons:g}), found {found.watch_horizons:g}"
        )
