"""Uplift beside causalml's and scikit-uplift's learners on the same folds: `python -m benchmarks.uplift [--json]`.

The peers run under a Python of their own, named by `--peers` or HOLDFAST_UPLIFT_PEERS (see `uplift_peer.py`); without
one, ours is shown beside the simulated truth and its own intervals alone. Trials are simulated, and seeded; with
causaldata in the peers' Python there are two real ones too, whose folds are dealt anew by each seed.

An order is measured by the Qini coefficient of `training/uplift_metrics.py` within each fold, averaged. The peer
is the learner with the highest mean over all seeds, chosen after the fact. A ratio is that of the means, with the 95 %
interval of a paired bootstrap: over seeds where each has a trial of its own, and over rows where the trial is real, as
seeds then only deal its folds anew.
"""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.report import Row, options, say
from features.feature import Array
from training.uplift import FOLDS, FittedUplift, fit_uplift
from training.uplift_learners import Trial
from training.uplift_metrics import GainsCurve, deciles, off, redrawn

PEERS = "HOLDFAST_UPLIFT_PEERS"
SEEDS, ROWS, COLUMNS, _DRAWS = 5, 5_000, 12, 200
_REAL = ("thornton_hiv", "black_politicians")
Shape = Callable[[np.random.Generator, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Told:
    """One trial, what ours made of it, and the Qini of ours and of every peer."""

    trial: Trial
    fitted: FittedUplift
    scores: Mapping[str, Array]

    def order(self, learner: str, counts: Array | None = None) -> float:
        """Average the folds' Qini, so that no learner's level from fold to fold counts; rows count `counts` times."""
        areas = []
        for fold in range(FOLDS):
            here = self.fitted.folds == fold
            arms = self.trial.treated[here], self.trial.outcome[here], self.trial.propensity[here]
            areas.append(GainsCurve(self.scores[learner][here], *arms).qini(None if counts is None else counts[here]))
        return float(np.mean(areas))


def main() -> None:
    """Print the rows."""
    parser = options(__doc__ or "")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="simulated trials of each shape")
    parser.add_argument("--peers", default=os.environ.get(PEERS), help="a Python with causalml and scikit-uplift")
    told = parser.parse_args()
    say("Uplift, simulated trials unless real is said; higher is better", rows(told.seeds, told.peers), told.json)


def rows(seeds: int, peers: str | None = None) -> list[Row]:
    """Set ours beside the best peer on every shape and every real trial, and count the tenths that hold."""
    python = peers or os.environ.get(PEERS)
    found: list[Row] = []
    for name, trials in _trials(seeds, python).items():
        told = [_judged(trial, seed, python) for seed, trial in enumerate(trials)]
        found += [*_orders(name, told), _tenths(name, told)]
    return found


def simulated(shape: str, seed: int) -> Trial:
    """Simulate a trial of one of `SHAPES`."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(ROWS, COLUMNS))
    chance = np.full(ROWS, 0.85 if "85/15" in shape else 0.5)
    if "vary" in shape:
        chance = 0.15 + 0.7 / (1 + np.exp(-values[:, 4]))
    treated = rng.random(ROWS) < chance
    base, uplift = SHAPES[shape](rng, values)
    expected = base + np.where(treated, uplift, 0.0)
    binary = "money" not in shape
    outcome = (rng.random(ROWS) < expected).astype(np.float64) if binary else _money(rng, expected)
    return Trial(values, tuple(f"column_{place}" for place in range(COLUMNS)), treated, outcome, chance)


def _money(rng: np.random.Generator, expected: Array) -> Array:
    """Three in ten bring anything, gamma distributed."""
    return np.where(rng.random(len(expected)) < 0.3, rng.gamma(2.0, expected / 0.6), 0.0)


def _chance(values: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-(-1.2 + 0.7 * values[:, 0] + 0.5 * values[:, 1] * values[:, 2]))))


def _step(_: np.random.Generator, values: Array) -> tuple[Array, Array]:
    return 0.8 * _chance(values), np.where((values[:, 3] > 0) & (values[:, 5] > -0.5), 0.15, 0.0)


def _harm(_: np.random.Generator, values: Array) -> tuple[Array, Array]:
    return 0.15 + 0.6 * _chance(values), np.where(values[:, 3] > 0.8, -0.12, 0.08 * np.tanh(values[:, 5]))


def _linear(_: np.random.Generator, values: Array) -> tuple[Array, Array]:
    uplift = np.clip(0.05 + 0.05 * values[:, 3] - 0.03 * values[:, 0], -0.15, 0.3)
    return 0.15 + 0.5 * _chance(values), np.asarray(uplift, dtype=np.float64)


def _rare(_: np.random.Generator, values: Array) -> tuple[Array, Array]:
    base = 0.02 * np.exp(0.8 * values[:, 0])
    return np.minimum(base, 0.4), np.minimum(0.8 * base, 0.4)


def _spend(_: np.random.Generator, values: Array) -> tuple[Array, Array]:
    return 10 * np.exp(0.5 * values[:, 0]), np.where(values[:, 3] > 0, 4.0 * np.exp(0.3 * values[:, 0]), 0.0)


SHAPES: Mapping[str, Shape] = {
    "a step": _step,
    "harm for some": _harm,
    "linear, propensities vary": _linear,
    "rare, with the risk": _rare,
    "a step, 85/15": _step,
    "money": _spend,
}


def _trials(seeds: int, python: str | None) -> dict[str, list[Trial]]:
    found = {f"simulated, {shape}": [simulated(shape, seed) for seed in range(seeds)] for shape in SHAPES}
    return found | {f"real, {name}": [trial] * seeds for name, trial in _real(python)}


def _real(python: str | None) -> Iterator[tuple[str, Trial]]:
    """Ask the peers' Python for the real trials that causaldata brings; none where it isn't there."""
    for name in _REAL if python else ():
        with TemporaryDirectory() as folder:
            told = Path(folder) / "trial.npz"
            if _run(python or "", "uplift_trials.py", name, str(told)):
                held = np.load(told)
                names = tuple(f"column_{place}" for place in range(held["rows"].shape[1]))
                chance = np.full(len(held["outcome"]), held["treated"].mean())
                yield name, Trial(held["rows"], names, held["treated"], held["outcome"], chance)


def _judged(trial: Trial, seed: int, python: str | None) -> Told:
    fitted = fit_uplift(trial.rows, trial.names, trial.treated, trial.outcome, trial.propensity, seed=seed)
    return Told(trial, fitted, {"ours": fitted.held_out, **(_peers(trial, fitted, python) if python else {})})


def _peers(trial: Trial, fitted: FittedUplift, python: str) -> dict[str, Array]:
    with TemporaryDirectory() as folder:
        given, made = Path(folder) / "trial.npz", Path(folder) / "scores.npz"
        np.savez(given, rows=trial.rows, treated=trial.treated, outcome=trial.outcome, propensity=trial.propensity,
                 folds=fitted.folds)  # fmt: skip
        if not _run(python, "uplift_peer.py", str(given), str(made)):
            raise RuntimeError(f"expected causalml and scikit-uplift in {python}; install them as uplift_peer.py says")
        return dict(np.load(made))


def _run(python: str, script: str, *arguments: str) -> bool:
    command = [python, "-I", str(Path(__file__).parent / script), *arguments]
    # causalml's workers take longer to start than to work.
    alone = os.environ | {"LOKY_MAX_CPU_COUNT": "1"}
    return subprocess.run(command, check=False, capture_output=True, env=alone).returncode == 0


def _orders(name: str, told: list[Told]) -> Iterator[Row]:
    collected = {learner: np.array([one.order(learner) for one in told]) for learner in told[0].scores}
    ours = collected.pop("ours")
    if not collected:
        yield Row(f"{name}: Qini (no peers here)", float(ours.mean()), 0.0, float("nan"), "none", None)
        return
    best = max(collected, key=lambda learner: collected[learner].mean())
    peer, ratio = collected[best], float(ours.mean() / collected[best].mean())
    over, gains = _over_rows(told, best) if name.startswith("real") else _over_seeds(ours - peer)
    low, high = np.quantile(gains / abs(peer.mean()) + 1, (0.025, 0.975))
    said = f"{name}: Qini, best peer {best} (95 % interval over {over} {low:.3g} to {high:.3g})"
    yield Row(said, float(ours.mean()), float(peer.mean()), ratio, ">= 1", ratio >= 1)


def _over_seeds(gains: Array) -> tuple[str, Array]:
    drawn = np.random.default_rng(0).integers(0, len(gains), (2_000, len(gains)))
    return f"{len(gains)} seeds", gains[drawn].mean(axis=1)


def _over_rows(told: list[Told], best: str) -> tuple[str, Array]:
    """Draw the rows of a trial again, for every seed's folds alike."""
    again = redrawn(told[0].fitted.clusters, 0, _DRAWS)
    gains = [np.mean([one.order("ours", counts) - one.order(best, counts) for one in told]) for counts in again]
    return "rows", np.array(gains)


def _tenths(name: str, told: list[Told]) -> Row:
    """Count the tenths by uplift that lie within the 95 % interval of what came, over all seeds."""
    found = [deciles(one.fitted) for one in told]
    held = [one.within for tenth in found for one in tenth]
    missed = sum(off(one) for one in found)
    said = f"{name}: tenths within their interval, of {len(held)} (trials that miss by more than noise: {missed})"
    return Row(said, float(np.mean(held)), 0.95, float(np.mean(held)) / 0.95, "no trial off", missed == 0)


if __name__ == "__main__":
    main()
