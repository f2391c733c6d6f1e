"""What `holdfast health` found, for Prometheus: a file that the service's /metrics tells, and node_exporter can.

It rests on the whole history, which takes minutes to read, so a timer asks for it and no request waits. Labels name
checks, models and features, which the code bounds.
"""

import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from training.checks import VERDICTS

# A check of predictions says whose in brackets: those of the base as of a day, or those of decisions.
_OF = re.compile(r"^(?P<name>.+?) \((?P<whose>[^,)]+)(?:, [^)]*)?\)$")
_RATIOS = {"churn rate": "churn", "value total": "value"}


def write(answer: Mapping[str, Any], file: Path) -> None:
    """Write what was found in Prometheus's text format, whole or not at all."""
    registry = CollectorRegistry()
    told = _Told(registry)
    asked = datetime.fromisoformat(answer["as_of"]).timestamp()
    told.set("holdfast_health_as_of_timestamp_seconds", "Up to when health was looked at.", asked)
    told.set("holdfast_health_asked_timestamp_seconds", "When it was.", time.time())
    for check in answer["checks"]:
        name, whose = _parted(check["name"])
        verdict = VERDICTS.index(check["verdict"])
        told.set("holdfast_health_verdict", "0 too early, 1 well, 2 watch, 3 act.", verdict, check=name, of=whose)
        for part in (_ratios(name, whose, check["figures"]), _shares(name, whose, check["figures"])):
            for metric, says, value, labels in part:
                told.set(metric, says, value, **labels)
        for feature in check["figures"].get("features", ()) if name == "feature drift" else ():
            told.set("holdfast_feature_drift_index", "Population stability index since the bundle learned.",
                     feature["index"], feature=feature["feature"])  # fmt: skip
            told.set("holdfast_feature_drift_limit", "The index from where on it has drifted.",
                     feature["limit"], feature=feature["feature"])  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(file), registry)


class _Told:
    """Gauges by their names, each made when it is first set."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._made: dict[str, Gauge] = {}

    def set(self, name: str, says: str, value: float, **labels: str) -> None:
        if name not in self._made:
            self._made[name] = Gauge(name, says, tuple(labels), registry=self._registry)
        (self._made[name].labels(**labels) if labels else self._made[name]).set(value)


_Metric = tuple[str, str, float, dict[str, str]]


def _parted(name: str) -> tuple[str, str]:
    """Part a check's name from whose predictions it is about; the newest of the base counts, being told last.

    >>> _parted("churn rate (base, 2017-12-04)"), _parted("exploration (middle)"), _parted("age")
    (('churn rate', 'base'), ('exploration', 'middle'), ('age', ''))
    """
    found = _OF.match(name)
    return (found["name"], found["whose"]) if found else (name, "")


def _ratios(name: str, whose: str, figures: Mapping[str, Any]) -> Iterator[_Metric]:
    """Tell what came against what was said, of risk and value, with the interval's ends."""
    if name not in _RATIOS or "ratio" not in figures:
        return
    labels = {"model": _RATIOS[name], "of": whose}
    yield "holdfast_prediction_expected", "What was said: a share that leaves, an amount.", figures["expected"], labels
    yield "holdfast_prediction_observed", "What came of it.", figures["observed"], labels
    yield "holdfast_prediction_customers", "The customers that both are about.", figures["customers"], labels
    for end, part in (("of", ""), ("low", "_low"), ("high", "_high")):
        says = "What came as a multiple of what was said; 1 is as said."
        yield f"holdfast_prediction_ratio{part}", says, figures["ratio"][end], labels


def _shares(name: str, whose: str, figures: Mapping[str, Any]) -> Iterator[_Metric]:
    """Tell the calibration's slope, and how often next purchases were hit."""
    labels = {"of": whose}
    if name == "churn calibration" and "slope" in figures:
        yield "holdfast_calibration_slope", "1 is as said, below it too sure.", figures["slope"]["of"], labels
    if name == "next purchase" and "now" in figures:
        says = "Buyers who bought one of the ten items named."
        yield "holdfast_next_purchase_hit_ratio", says, figures["now"]["of"], labels
        yield "holdfast_next_purchase_hit_ratio_at_test", f"{says[:-1]}, at test.", figures["tested"], labels
