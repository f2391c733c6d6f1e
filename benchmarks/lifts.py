"""Lift and off-line estimates: how often their intervals hold, on simulated data whose truth is known."""

from collections import Counter
from collections.abc import Callable

import numpy as np

from benchmarks.report import Row
from features.feature import Array
from training.lift import People, compared, moments
from training.off_policy import Logged, evaluate
from training.reliability import rate_of
from training.sample_ratio import sample_ratio
from training.sequential import reaches

_PEOPLE, _MANY, _DAYS, _ACTIONS = 3_000, 20_000, 90, 5


def rows(seeds: int) -> list[Row]:
    """Run so many seeds of everything; off-line estimates take a tenth of a second each."""
    found = [*_off_line(seeds)]
    for name, draw in _OUTCOMES.items():
        found += _peeking(name, draw, seeds, 0.5)
    for name, draw in _LEFT_ALONE.items():
        found.append(_peeking(f"{name}, a tenth left alone", draw, seeds, 0.9, _MANY)[0])
    return [*found, _sizes(seeds)]


def share(figure: str, hits: int, runs: int, low: float, high: float) -> Row:
    """Set a rate in percent beside the range that it should lie in, with Wilson's 95 % interval."""
    found = rate_of(np.repeat([1.0, 0.0], [hits, runs - hits]), 0.95)
    rate, said = found.of, f"{figure} ({100 * found.low:.1f} to {100 * found.high:.1f} %, {runs} runs)"
    nominal = 95.0 if high > 50 else 100 * high
    bar = f"{low:g} to {high:g}" if high > 1 else f"<= {100 * high:g}"
    holds = low <= 100 * rate <= high if high > 1 else rate <= high
    return Row(said, 100 * rate, nominal, 100 * rate / nominal, bar, holds)


def _off_line(seeds: int) -> list[Row]:
    held = Counter[str]()
    for seed in range(seeds):
        logged, value = _pilot(np.random.default_rng((11, seed)))
        for one in evaluate(logged, seed).estimates:
            held[one.estimator] += one.low <= value <= one.high
    return [
        share(f"off-line {name} holds a policy's true value, %, simulated", held[name], seeds, 93, 97)
        for name in ("IPS", "SNIPS", "DR")
    ]


def _pilot(random: np.random.Generator, decisions: int = 4_000) -> tuple[Logged, float]:
    """Decisions with unequal chances, several a customer, heavy-tailed rewards, and the true value of another policy.

    Rewards are lognormal around what customer and action bring; the other policy goes by two features. Its value is
    that of a million customers.
    """
    customers = random.integers(0, decisions // 2, decisions)
    taste, own = random.normal(size=(decisions // 2, 4)), random.normal(size=decisions // 2)
    loads = random.normal(0, 0.5, (4, _ACTIONS))
    chances = random.dirichlet(np.full(_ACTIONS, 4.0), decisions) * 0.8 + 0.2 / _ACTIONS
    served = (random.random((decisions, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(max=_ACTIONS - 1)
    rows = taste[customers]
    brought = np.maximum(rows @ loads + own[customers][:, None], -2.0)
    rewards = brought[np.arange(decisions), served] + np.exp(1.0 * random.normal(size=decisions)) * (served > 0)
    arms = tuple({str(action): float(chance) for action, chance in enumerate(row)} for row in chances)
    others = tuple({str(action): 1.0} for action in _policy(rows))
    many, mine = random.normal(size=(1_000_000, 4)), random.normal(size=1_000_000)
    action = _policy(many)
    value = np.maximum((many @ loads)[np.arange(len(many)), action] + mine, -2.0) + np.exp(0.5) * (action > 0)
    logged = Logged(
        rows, tuple(map(str, served.tolist())), chances[np.arange(decisions), served], arms, others, rewards,
        tuple(map(str, customers.tolist())),
    )  # fmt: skip
    return logged, float(value.mean())


def _policy(rows: Array) -> Array:
    return np.where(rows[:, 0] > 0.5, 1, np.where(rows[:, 1] > 0, 3, 0))


Draw = Callable[[np.random.Generator, Array], Array]


def _retention(random: np.random.Generator, trait: Array) -> Array:
    return np.where(random.random(len(trait)) < 0.85 + 0.08 * np.tanh(trait), 1.0, 0.0)


def _profit(random: np.random.Generator, trait: Array) -> Array:
    """Lognormal with zeros: regulars spend alike from month to month, one in ten doesn't come."""
    spent = np.exp(0.9 * trait + 0.35 * random.normal(size=len(trait)))
    return np.where(random.random(len(trait)) < 0.9, spent, 0.0)


def _rare(random: np.random.Generator, trait: Array) -> Array:
    return np.where(random.random(len(trait)) < 0.03, 1.0, 0.0)


def _lopsided(random: np.random.Generator, trait: Array) -> Array:
    return np.where(random.random(len(trait)) < 0.2, np.exp(random.normal(size=len(trait))), 0.0)


_OUTCOMES: dict[str, Draw] = {"retention": _retention, "profit": _profit}
_LEFT_ALONE: dict[str, Draw] = {"retention": _retention, "a rare outcome": _rare, "lopsided profit": _lopsided}


def _peeking(name: str, draw: Draw, seeds: int, treated: float, size: int = _PEOPLE) -> list[Row]:
    """Look every day for three months; count the runs in which every look's interval holds the truth, which is 0.

    Runs in which it was too early to tell on every day don't count.
    """
    held, narrowed = 0, []
    for seed in range(seeds):
        random = np.random.default_rng((23, seed))
        people = _people(random, draw, treated, size)
        taken = moments(people)
        if not taken:
            continue
        reach = reaches([counted for _, counted in taken])
        told = [
            compared(name, people.only(people.day <= day), one, 1) for (day, _), one in zip(taken, reach, strict=True)
        ]
        held += all(one.low <= 0 <= one.high for one in told)
        narrowed.append(told[-1].narrowed)
    return [
        share(f"lift in {name} holds at every daily look, %, simulated", held, len(narrowed), 93, 97),
        _narrowed(f"CUPED narrows the interval of {name} by, simulated", np.array(narrowed)),
    ]


def _people(random: np.random.Generator, draw: Draw, treated: float, size: int) -> People:
    trait = random.normal(size=size)
    before = draw(random, trait)
    return People(
        random.random(size) < treated, draw(random, trait), np.ones(size), before[:, None],
        np.sort(random.integers(0, _DAYS, size)),
    )  # fmt: skip


def _narrowed(figure: str, found: Array) -> Row:
    low, high = np.quantile(found, [0.025, 0.975])
    mean = float(found.mean())
    return Row(f"{figure} ({low:.0%} to {high:.0%})", mean, 0.2, mean / 0.2, ">= 1", mean >= 0.2)


def _sizes(seeds: int) -> Row:
    """Look at the groups' sizes every day, and count the runs with an alarm though they are as planned."""
    alarms, planned = 0, {"hold_out": 0.05, "random": 0.05, "policy": 0.9}
    for seed in range(seeds):
        drawn = np.random.default_rng((37, seed)).choice(3, 9_000, p=list(planned.values()))
        alarms += any(
            sample_ratio(
                dict(zip(planned, np.bincount(drawn[:people], minlength=3).tolist(), strict=True)), planned
            ).mismatch
            for people in range(100, 9_001, 100)
        )
    return share("false alarms of the sample-ratio check, looked at daily, %, simulated", alarms, seeds, 0, 0.01)
