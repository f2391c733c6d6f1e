"""Whether groups have the sizes that were planned; where they don't, something chose who is in which."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

LEVEL = 0.01
_WEIGHT = 100.0


@dataclass(frozen=True)
class SampleRatio:
    """Groups' sizes beside what was planned; `p_value` holds at any moment, however often one looks."""

    counted: Mapping[str, int]
    planned: Mapping[str, float]
    p_value: float

    @property
    def mismatch(self) -> bool:
        """Whether chance alone gives such sizes less than once in a hundred experiments, looked at all the time."""
        return self.p_value < LEVEL

    def said(self) -> str:
        """Say what was found, and what to do."""
        whole, every = sum(self.planned.values()), sorted({*self.planned, *self.counted})
        sizes = ", ".join(
            f"{name} {self.counted.get(name, 0):,} (planned {self.planned.get(name, 0.0) / whole:.1%})"
            for name in every
        )
        if not self.mismatch:
            return f"sizes as planned: {sizes}; p {self.p_value:.2g}"
        return (
            f"sizes aren't as planned: {sizes}; p {self.p_value:.2g}. Don't trust the lift: find what keeps people of"
            " one group from being counted"
        )

    def as_dict(self) -> dict[str, object]:
        """The check as JSON values."""
        told = {"counted": dict(self.counted), "planned": dict(self.planned), "p_value": self.p_value}
        return told | {"mismatch": self.mismatch}


def sample_ratio(counted: Mapping[str, int], planned: Mapping[str, float]) -> SampleRatio:
    """Hold groups' sizes, in people, against their planned shares.

    A Bayes factor of "some other shares" (Dirichlet, as if of a hundred people as planned) against the planned ones;
    one over it is a p-value that holds at every look (Lindon and Malek 2022, "Anytime-valid inference for multinomial
    count data", by Ville's inequality). Somebody in a group that was planned for nobody makes it 0.

    >>> sample_ratio({"a": 5_000, "b": 5_000}, {"a": 0.5, "b": 0.5}).mismatch
    False
    >>> sample_ratio({"a": 5_300, "b": 4_700}, {"a": 0.5, "b": 0.5}).mismatch
    True
    """
    whole = sum(planned.values())
    shares = {name: share / whole for name, share in planned.items() if share > 0}
    if any(count for name, count in counted.items() if name not in shares):
        return SampleRatio(counted, planned, 0.0)
    sizes = np.array([counted.get(name, 0) for name in shares], dtype=np.float64)
    chances = np.array(list(shares.values()))
    prior = _WEIGHT * chances
    factor = (
        gammaln(prior.sum()) - gammaln(prior.sum() + sizes.sum()) + (gammaln(prior + sizes) - gammaln(prior)).sum()
        - (sizes * np.log(chances)).sum()
    )  # fmt: skip
    return SampleRatio(counted, planned, float(min(1.0, np.exp(-max(factor, -700.0)))))
