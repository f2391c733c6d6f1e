"""A figure beside its strongest peer's: a win, a tie or a loss, and which bars it meets."""

from collections.abc import Mapping

from benchmarks.report import Row
from training.evaluation import Figure
from training.metrics import CHURN_METRICS, VALUE_METRICS

Bars = Mapping[str, tuple[float, float, float]]
_SIGNS = {name: sign for name, (_, sign) in (CHURN_METRICS | VALUE_METRICS).items()}  # −1 where less is better


def against_bars(named: str, one: Figure, bars: Bars, sign: int = -1) -> Row:
    """Lay one figure beside its strongest peer's, and say which bars it meets; `sign` is +1 where more is better."""
    best, verdict = one.best_baseline, outcome(one)
    assert best is not None
    peer = one.baselines[best]
    sign = _SIGNS.get(one.metric, sign)
    said = f"{verdict} ({one.gain_low:+.4f} … {one.gain_high:+.4f})"
    for name, bar in zip(("beat", "reach", "aim"), bars.get(one.metric, ()), strict=False):
        met = sign * one.ours >= sign * bar
        said += f"; {name} {bar:g} {'met' if met else 'missed'}"
    holds = {"win": True, "tie": None, "loss": False}[verdict]
    return Row(f"{named}: {one.model} {one.metric} against {best}", one.ours, peer, one.ours / peer, said, holds)


def outcome(one: Figure) -> str:
    """Say "win" or "loss" where the paired interval of the gain lies wholly above or below zero, else "tie"."""
    assert one.gain_low is not None
    assert one.gain_high is not None
    return "win" if one.gain_low > 0 else "loss" if one.gain_high < 0 else "tie"
