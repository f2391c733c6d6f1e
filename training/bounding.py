"""The interval of what is expected: its method chosen on the later windows, its shares found there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from features.feature import Array
from models.additive import Additive
from models.lifetime import Process
from models.simulation import Simulation
from models.value import Interval, QuantileTrees
from training.boosting import Fit
from training.choosing import Choice, Round
from training.costing import Tried
from training.cutoffs import Cutoffs
from training.dataset import Window, Windows
from training.interval import LEVELS, Start, choose_interval, conform, fit_bounds, spread_alike
from training.minimum import Allowed

SHARES, TREES, SIMULATION = "shares of the expectation", "quantile trees", "simulation"


@dataclass(frozen=True)
class Bounding:
    """Finds intervals from the later windows, or from those learned from where there are none."""

    windows: Windows
    cutoffs: Cutoffs
    choice: Choice
    played: Sequence[Round]
    fit: Fit

    def choose(self, enough: Allowed) -> tuple[str, str]:
        """Choose what the bounds start from, by pinball loss on the later windows, and say why."""
        if not self.played:
            return SHARES, f"bounds are {SHARES}: no later window to compare on"
        names = [SHARES, *([TREES] if enough.trees else []), *([SIMULATION] if enough.process else [])]
        return choose_interval(self.played, self._expected, {name: self._starts(name) for name in names})

    def interval(
        self, model: Additive, learned: Sequence[Window], process: Process | None, method: str
    ) -> Interval:  # fmt: skip
        """Bound a model that was fitted on windows and predicts at the moment of a process."""
        if not self.played:
            return spread_alike(model, learned)
        serves: Start = fit_bounds(learned, self.fit) if method == TREES else None
        if method == SIMULATION and process:
            serves = Simulation(process, float(self.cutoffs.horizon.days), LEVELS)
        return conform(self.played, self._expected, self._starts(method), serves)

    def tried(self, method: str) -> list[Tried]:
        """What was expected at each later window, within bounds whose shares the other windows give."""
        starts, found = self._starts(method), []
        for place, (played, expected) in enumerate(zip(self.played, self._expected, strict=True)):
            others = [at for at in range(len(self.played)) if at != place]
            rest = [self.played[at] for at in others], [self._expected[at] for at in others]
            interval = conform(*rest, [starts[at] for at in others], starts[place])
            found.append(Tried(played.window, expected, *interval.around(expected, played.window.rows.values)))
        return found

    def _starts(self, method: str) -> Sequence[Start]:
        if method == TREES:
            return self._trees
        return self._simulations if method == SIMULATION else [None] * len(self.played)

    @cached_property
    def _expected(self) -> list[Array]:
        return [self.choice.model_of(played).predict(played.window.rows.values) for played in self.played]

    @cached_property
    def _trees(self) -> list[QuantileTrees]:
        assert self.cutoffs.rehearsal is not None
        days = self.cutoffs.rehearsal.days
        return [
            fit_bounds([self.windows.at(moment, days) for moment in earlier], self.fit)
            for _, earlier in self.cutoffs.rehearsal.rounds
        ]

    @cached_property
    def _simulations(self) -> list[Start]:
        assert self.cutoffs.rehearsal is not None
        days = float(self.cutoffs.rehearsal.days)
        processes = (played.window.process for played in self.played)
        return [Simulation(process, days, LEVELS) if process else None for process in processes]
