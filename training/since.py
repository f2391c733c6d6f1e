"""Predictions against what happened since a bundle was deployed: risk, value, next purchase, and their calibration."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from features.feature import Array
from training.checks import LOOK, RETRAIN, Check, Interval, Verdict, needed
from training.metrics import COVERAGE
from training.promises import Came, Promised
from training.reliability import FIFTHS, Group, calibration_of, fifths_of, order_of, rate_of, ratio_of, reach
from training.thresholds import Thresholds

_Z95 = 1.96


@dataclass(frozen=True)
class Since:
    """What is held against what: promises and what came of them, by the figures of the test and the thresholds."""

    promised: Promised
    came: Came
    tested: Mapping[tuple[str, str], Mapping[str, Any]]
    limits: Thresholds

    @classmethod
    def of(cls, promised: Promised, came: Came, manifest: Mapping[str, Any], limits: Thresholds) -> "Since":
        """Take the figures of the test from a bundle's manifest."""
        tested = {(figure["model"], figure["metric"]): figure for figure in manifest["figures"]}
        return cls(promised, came, tested, limits)

    def checks(self) -> tuple[Check, ...]:
        """Hold each promise against what came; what too few customers can tell says so."""
        return tuple(check for part in (self._risks, self._values, self._items) for check in part())

    def _risks(self) -> Iterator[Check]:
        told = ~np.isnan(self.promised.risk)
        risk, left = self.promised.risk[told], self.came.left[told]
        if few := self._few("churn", len(risk), "with a risk"):
            yield few
            return
        yield self._rate(risk, left)
        yield from self._order(risk, left)
        yield from self._line(risk, left)
        if few := self._few("churn by fifth", len(risk), "with a risk", FIFTHS):
            yield few
            return
        groups = fifths_of(left, risk, self.limits.confidence, rates=True)
        yield self._fifths("churn", groups, self.limits.slack, ".1%")

    def _rate(self, risk: Array, left: Array) -> Check:
        rate, limit = rate_of(left, self.limits.confidence), self.limits.ratio
        said = float(risk.mean())
        ratio = Interval(rate.of / said, rate.low / said, rate.high / said)
        verdict = self._spared(ratio.judged(1 / limit, limit, 1.0), ratio.of < 1)
        found = f"Of {len(risk):,} customers {said:.1%} were expected to leave, {rate.said('.1%')} did."
        return self._check("churn rate", found, self._times(ratio), verdict, {
            "customers": len(risk), "expected": said, "observed": rate.of, "ratio": ratio.as_dict(),
        })  # fmt: skip

    def _order(self, risk: Array, left: Array) -> Iterator[Check]:
        tested = self.tested.get(("churn", "AUC"))
        if tested is None or not 0 < left.sum() < len(left):
            return
        area = order_of(left, risk, self.limits.confidence)
        yield self._kept("churn order", "AUC", area, tested, self.limits.loss_of_order)

    def _line(self, risk: Array, left: Array) -> Iterator[Check]:
        found = calibration_of(left, risk, self.limits.confidence)
        if found is None:
            return
        slope, limit = found.slope, self.limits.slope
        said = f"Calibration slope {slope.said()}, intercept {found.intercept.said()}; 1 and 0 are as said."
        figures = {"slope": slope.as_dict(), "intercept": found.intercept.as_dict()}
        verdict = slope.judged(1 / limit, limit, 1.0)
        yield self._check("churn calibration", said, f"slope within {1 / limit:.2f}–{limit:.2f}", verdict, figures)

    def _values(self) -> Iterator[Check]:
        told = ~np.isnan(self.promised.expected)
        expected, net = self.promised.expected[told], self.came.net[told]
        if few := self._few("value", len(expected), "with an expected value"):
            yield few
            return
        if expected.sum() > 0:
            yield self._total(expected, net)
        inside = (self.came.value >= self.promised.low) & (self.came.value <= self.promised.high)
        yield from self._covered(inside[told].astype(np.float64))
        if few := self._few("value by fifth", len(expected), "with an expected value", FIFTHS):
            yield few
            return
        groups = fifths_of(net, expected, self.limits.confidence, rates=False)
        yield self._fifths("value", groups, self.limits.slack * float(expected.mean()), ",.2f")

    def _total(self, expected: Array, net: Array) -> Check:
        ratio, limit = ratio_of(net, expected, self.limits.confidence), self.limits.ratio
        verdict = self._spared(ratio.judged(1 / limit, limit, 1.0), ratio.of > 1)
        found = f"{expected.sum():,.0f} was expected of {len(net):,} customers, {net.sum():,.0f} came."
        return self._check("value total", found, self._times(ratio), verdict, {
            "customers": len(net), "expected": float(expected.sum()), "observed": float(net.sum()),
            "ratio": ratio.as_dict(),
        })  # fmt: skip

    def _covered(self, inside: Array) -> Iterator[Check]:
        rate, loss = rate_of(inside, self.limits.confidence), self.limits.loss_of_coverage
        # An interval that holds more than it says is no harm: it is watched.
        verdict: Verdict = "act" if rate.high < COVERAGE - loss else "well" if rate.low <= COVERAGE + loss else "watch"
        found = f"{rate.said('.0%')} of the values lay within their {COVERAGE:.0%} interval."
        yield self._check("value interval", found, f"at least {COVERAGE - loss:.0%}", verdict, {"rate": rate.as_dict()})

    def _items(self) -> Iterator[Check]:
        tested = self.tested.get(("next_purchase", "hit rate at 10"))
        hit = self.came.hit[~np.isnan(self.came.hit)]
        if tested is None:
            return
        if few := self._few("next purchase", len(hit), "who bought something"):
            yield few
            return
        rate = rate_of(hit, self.limits.confidence)
        yield self._kept("next purchase", "buyers with one of the ten items named", rate, tested,
                         self.limits.loss_of_hits)  # fmt: skip

    def _kept(self, name: str, what: str, now: Interval, tested: Mapping[str, Any], loss: float) -> Check:
        """Hold a figure against the test's, whose own error counts as well."""
        then, error = tested["ours"], (tested["high"] - tested["low"]) / 2 / _Z95
        wide = float(np.hypot((now.high - now.low) / 2, error * reach(self.limits.confidence)))
        change = Interval(now.of - then, now.of - then - wide, now.of - then + wide)
        verdict: Verdict = "act" if change.high < -loss else "watch" if change.high < 0 else "well"
        found = f"{what} {now.said()}, at test {then:.2f}."
        figures = {"now": now.as_dict(), "tested": then, "change": change.as_dict()}
        return self._check(name, found[0].upper() + found[1:], f"at most {loss:.2f} below the test's", verdict, figures)

    def _fifths(self, model: str, groups: tuple[Group, ...], slack: float, form: str) -> Check:
        limit = self.limits.ratio
        off = [group for group in groups if group.came.outside(group.said / limit - slack, group.said * limit + slack)]
        missed = [group for group in groups if group.came.outside(group.said, group.said)]
        verdict: Verdict = "act" if off else "watch" if missed else "well"
        spared = all((group.came.of < group.said) == (model == "churn") for group in off)
        shown = max(off or groups, key=lambda group: abs(group.came.of - group.said))
        found = (
            f"{len(off)} of {len(groups)} fifths are off; the furthest was told {shown.said:{form}} and had"
            f" {shown.came.said(form)}."
        )
        figures = {"fifths": [_told(group) for group in groups], "off": len(off)}
        name = f"{model} by fifth"
        return self._check(name, found, f"0 surely beyond {limit:g} times", self._spared(verdict, spared), figures)

    def _spared(self, verdict: Verdict, kindly: bool) -> Verdict:
        """Only watch where offers were made and it is what they are made for that came."""
        return "watch" if verdict == "act" and self.promised.treated and kindly else verdict

    def _few(self, name: str, customers: int, which: str, groups: int = 1) -> Check | None:
        fewest = groups * self.limits.fewest
        if customers >= fewest:
            return None
        found = f"{customers:,} customers {which} can be judged so far."
        where = f"{name} ({self.promised.name})"
        return Check(where, found, f"{fewest:,} customers", "too early", figures={"customers": customers})

    def _times(self, ratio: Interval) -> str:
        return f"{1 / self.limits.ratio:.2f}–{self.limits.ratio:.2f} times what was said, here {ratio.said()}"

    def _check(self, name: str, found: str, threshold: str, verdict: Verdict, figures: Mapping[str, Any]) -> Check:
        where = f"{name} ({self.promised.name})"
        return Check(where, found, threshold, verdict, needed(verdict, RETRAIN, LOOK), figures)


def not_yet(name: str, due: datetime) -> Check:
    """Say from when on predictions can be held against what happens."""
    return Check(
        f"predictions ({name})",
        f"No horizon has passed; it can be told from {due:%Y-%m-%d %H:%M} UTC on.",
        "a whole horizon",
        "too early",
        figures={"due": due.isoformat()},
    )


def _told(group: Group) -> dict[str, Any]:
    return {"customers": group.customers, "said": group.said, "came": group.came.as_dict()}


def none_decided() -> Check:
    """Say that this bundle has decided nothing yet."""
    found = "This bundle has decided nothing so far."
    return Check("predictions (decisions)", found, "a whole horizon", "too early", figures={"decisions": 0})


def unreadable() -> Check:
    """Say that the base can't be scored by a bundle of other features."""
    found = "The bundle was trained on other features than the code defines, so the base can't be scored."
    return Check("predictions (base)", found, "the same contract", "act", RETRAIN)
