"""Profit per decision after a pilot: what is learned by lot, against the best possible, on a simulated world.

The people of a world are decided once each, by lot, over all of the operator's offers and silence; what comes is drawn
from their truth. The product's own training measures the effects, and its own formula of the profit chooses for people
who weren't in the pilot. What each choice is truly expected to bring is known.
"""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.report import Row
from features.archive import Archive
from features.contract import CONTRACT, rows_of
from features.definitions import NAMES
from features.feature import Array
from features.glossary import Glossary
from features.home import ROOT
from features.known import Known
from models.effects import Effects
from serving.experiment import RANDOM
from serving.exploring import by_lot
from serving.money import offered
from serving.offers import Offer
from serving.playbook import Playbook, load_playbook
from training import labels
from training.boosting import Fit, boost
from training.decision_log import SILENCE, DecisionLog, Realised, Stated
from training.effects import effects_of, measure_effects
from world.operator import IDS, OFFERS, TYPES
from world.response import Responses, expected_profit, respond, terms
from world.settings import END, Settings
from world.truth import Truth
from world.writing import write_world

SPAN = timedelta(days=28)
SOLD = tuple(sorted({offer.item for offer in OFFERS if offer.item}))
_HELD_BACK = 0.25


@dataclass(frozen=True)
class Base:
    """People with a contract, as the history shows them, and their truth.

    `rows` are features, `risk` and `margin` what is predicted; `anyway` is how likely each sold type is bought.
    """

    rows: Array
    risk: Array
    margin: Array
    anyway: Mapping[str, Array]
    truth: Truth

    def part(self, which: npt.NDArray[np.bool_]) -> "Base":
        """Keep some people."""
        anyway = {item: chance[which] for item, chance in self.anyway.items()}
        return Base(self.rows[which], self.risk[which], self.margin[which], anyway, self.truth.keep(which))


def rows(seeds: int, decisions: int = 50_000, workers: int = 2) -> list[Row]:
    """Run a pilot of so many decisions in each of some worlds."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(profits, range(1, seeds + 1), [decisions] * seeds))
    ours = np.array([one["ours"] for one in found])
    told = [
        _beside(said, ours, np.array([one[name] for one in found]), 0.9, decisions)
        for name, said in (
            ("best", "the best possible policy"),
            ("told", "the best that features tell of known effects"),
        )
    ]
    for name in ("best single offer", "highest propensity", "churn risk × value", "random", "stated priors"):
        told.append(_beside(name, ours, np.array([one[name] for one in found]), 1.0, decisions))
    return told


def _beside(name: str, ours: Array, theirs: Array, bar: float, decisions: int) -> Row:
    """Set profits side by side; a policy that loses money is beaten by any that doesn't."""
    gaps = ours - bar * theirs
    ratio = float(ours.mean() / theirs.mean()) if theirs.mean() > 0 else float("inf")
    said = (
        f"{ours.min() / 1e3:.2f} to {ours.max() / 1e3:.2f} against {theirs.min() / 1e3:.2f} to {theirs.max() / 1e3:.2f}"
    )
    figure = f"profit a decision, thousand won, after {decisions:,} by lot, beside {name}, simulated ({said})"
    return Row(
        figure, float(ours.mean()) / 1e3, float(theirs.mean()) / 1e3, ratio, f">= {bar:g}", bool((gaps > 0).all())
    )


def profits(seed: int, decisions: int) -> dict[str, float]:
    """Run one pilot, and tell the true profit per decision over silence of every policy, in currency."""
    playbook = load_playbook(ROOT / "playbook" / "telecom", NAMES)
    base = made(seed, round(decisions / (1 - _HELD_BACK) * 1.45), playbook.glossary)
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(base.risk))
    piloted, tried = np.zeros(len(chosen), dtype=bool), np.zeros(len(chosen), dtype=bool)
    piloted[chosen[:decisions]], tried[chosen[decisions:]] = True, True
    pilot, others = base.part(piloted), base.part(tried)
    chances = by_lot(range(len(IDS)))
    actions = random.choice([*IDS, SILENCE], len(pilot.risk), p=list(chances.values()))
    did = respond(pilot.truth, actions.tolist(), seed)
    log, came = logged(pilot, actions, did, playbook)
    effects = effects_of(measure_effects(log, came, playbook.experiment.prior_uncertainty, seed))
    takers = {offer: float(did.accepted[actions == offer].mean()) for offer in IDS}
    return {name: worth(others.truth, action, playbook) for name, action in
            choices(pilot, others, actions, did, effects, takers, playbook, random).items()}  # fmt: skip


def worth(truth: Truth, action: npt.NDArray[np.int64], playbook: Playbook) -> float:
    """What actions (places, 0 for silence) are truly expected to bring over silence, per decision, in currency."""
    true = expected_profit(truth, IDS, terms(IDS, playbook.glossary.assumptions.retention_horizons))
    return float((true[np.arange(len(action)), action] - true[:, 0]).mean())


def choices(
    pilot: Base, others: Base, actions: npt.NDArray[np.str_], did: Responses, effects: Effects,
    takers: Mapping[str, float], playbook: Playbook, random: np.random.Generator,
) -> dict[str, npt.NDArray[np.int64]]:  # fmt: skip
    """Let every policy choose for people who weren't in the pilot."""
    ours, stated = (expected(others, found, takers, playbook) for found in (effects, Effects()))
    true = expected_profit(others.truth, IDS, terms(IDS, playbook.glossary.assumptions.retention_horizons))
    single = best_single(pilot, actions, did, playbook)
    count = len(others.risk)
    prone = others.risk * others.margin
    keeping = [place for place, offer in enumerate(IDS) if offer_of(playbook, offer).kind == "retention"]
    keeper = keeping[int(np.argmax(_means(pilot, actions, did, playbook)[1:][keeping]))] + 1
    return {
        "ours": _best(ours), "stated priors": _best(stated), "best": true.argmax(axis=1),
        "told": _best(_told(pilot, others, playbook)),
        "best single offer": np.full(count, single),
        "highest propensity": np.full(count, 1 + int(np.argmax([takers[offer] for offer in IDS]))),
        "churn risk × value": np.where(prone >= np.quantile(prone, 0.8), keeper, 0),
        "random": random.integers(0, len(IDS) + 1, count),
    }  # fmt: skip


def _told(pilot: Base, others: Base, playbook: Playbook) -> Array:
    """What every offer brings everybody, as far as features tell it to who knows what it truly brings the piloted."""
    true = expected_profit(pilot.truth, IDS, terms(IDS, playbook.glossary.assumptions.retention_horizons))
    gains = (true[:, place + 1] - true[:, 0] for place in range(len(IDS)))
    fits = (boost({"objective": "regression"}, pilot.rows, gain, CONTRACT.names, Fit(7)) for gain in gains)
    return np.column_stack([fit.scores(others.rows) for fit in fits])


def _best(profit: Array) -> npt.NDArray[np.int64]:
    return np.asarray(np.column_stack([np.zeros(len(profit)), profit]).argmax(axis=1))


def best_single(pilot: Base, actions: npt.NDArray[np.str_], did: Responses, playbook: Playbook) -> int:
    """Choose what brought most in the pilot, if the same is done to everybody; 0 for silence."""
    return int(np.argmax(_means(pilot, actions, did, playbook)))


def _means(pilot: Base, actions: npt.NDArray[np.str_], did: Responses, playbook: Playbook) -> Array:
    """What each action brought in the pilot per decision, silence first, and what those who stayed are worth later."""
    later = playbook.glossary.assumptions.retention_horizons * pilot.margin * ~did.left
    brought = did.margin - did.incentives + later
    return np.array([brought[actions == name].mean() for name in (SILENCE, *IDS)])


def offer_of(playbook: Playbook, name: str) -> Offer:
    """Find an offer of a playbook."""
    return next(offer for offer in playbook.offers if offer.id == name)


def expected(base: Base, effects: Effects, takers: Mapping[str, float], playbook: Playbook) -> Array:
    """Expect what every offer brings everybody, by the product's formula, (people, offers) in currency."""
    horizons = playbook.glossary.assumptions.retention_horizons
    found = np.zeros((len(base.risk), len(IDS)))
    for place, name in enumerate(IDS):
        offer, stated = offer_of(playbook, name), stated_change(base, offer_of(playbook, name))
        effect, beside = effects.wished.get(name), effects.staying.get(name)
        change = stated if effect is None else effect.change(base.rows, stated, untreated(base, offer))[0]
        value = np.full(len(stated), offer.margin) if offer.kind == "product" else base.margin * horizons
        found[:, place] = change * value - takers[name] * offer.incentive_cost
        if beside is not None:
            changed, _ = beside.change(base.rows, np.zeros(len(stated)), 1.0 - base.risk)
            found[:, place] += changed * base.margin * horizons
    return found


def stated_change(base: Base, offer: Offer) -> Array:
    """What the playbook states that an offer changes, for everybody."""
    if offer.kind != "product":
        return offer.prior.accept * offer.prior.keep * base.risk * offer.prior.churn_reduction
    anyway = base.anyway[offer.item]
    return np.asarray((offered(anyway, offer.prior.odds_ratio) - anyway) * offer.prior.keep)


def untreated(base: Base, offer: Offer) -> Array:
    """How likely what is wished for is without the offer, for everybody."""
    return 1.0 - base.risk if offer.kind != "product" else base.anyway[offer.item] * offer.prior.keep


def logged(
    base: Base, actions: npt.NDArray[np.str_], did: Responses, playbook: Playbook
) -> tuple[DecisionLog, Realised]:  # fmt: skip
    """Write a pilot down as the log of decisions and what came of them."""
    count, nothing = len(actions), np.zeros(len(actions))
    changes = {name: stated_change(base, offer_of(playbook, name)) for name in IDS}
    items = {name: offer_of(playbook, name).item for name in IDS}
    before = {name: untreated(base, offer_of(playbook, name)) for name in IDS}
    stated = tuple(
        {name: Stated(items[name], float(before[name][row]), float(changes[name][row]), 0.0, 0.0, 0.0) for name in IDS}
        for row in range(count)
    )
    arms = dict(zip((*IDS, SILENCE), by_lot(range(len(IDS))).values(), strict=True))
    customers, served = tuple(base.truth.customers), np.array([arms[action] for action in actions.tolist()])
    log = DecisionLog(
        customers, customers, np.arange(count), (RANDOM,) * count, ("",) * count,
        tuple(actions.tolist()), np.ones(count, dtype=bool), served, (arms,) * count,
        base.rows, stated, base.risk, base.margin,
    )  # fmt: skip
    types = [items[name] for name in IDS]
    bought = frozenset(
        (row, types[place]) for place in range(len(IDS)) if types[place]
        for row in np.flatnonzero(_bought(did, types[place])).tolist()
    )  # fmt: skip
    stayed = np.where(did.left, 0.0, 1.0)
    return log, Realised(np.ones(count, dtype=bool), did.margin, did.incentives, nothing, nothing, stayed, bought)


def _bought(did: Responses, item: str) -> npt.NDArray[np.bool_]:
    return np.asarray(did.purchases[:, TYPES.index(item)] > 0)


def made(seed: int, people: int, glossary: Glossary) -> Base:
    """Make a world, and see its people as the history shows them at its end."""
    with TemporaryDirectory() as folder:
        write_world(Settings(people, months=18, seed=seed), Path(folder) / "world", lambda *_: None)
        archive = Archive.open(Path(folder) / "world")
        truth = Truth.read(Path(folder) / "world")
        seen = [_seen(known, glossary) for known in archive.parts(END)]
    table = pl.concat([one for one, _ in seen])
    before = [one for _, one in seen]
    place = {name: row for row, name in enumerate(table["customer"])}
    shown = [name in place for name in truth.customers]
    truth = truth.keep(np.array(shown))
    at = [place[name] for name in truth.customers]
    rows = table.drop("customer").to_numpy()[at]
    risk, margin, anyway = _predicted(before, rows, seed)
    return Base(rows, risk, margin, anyway, truth)


Before = tuple[Array, Array, Array, Array]


def _seen(known: Known, glossary: Glossary) -> tuple[pl.DataFrame, Before]:
    """The rows of a part's people now, and those of a period before with who left, what came, and what was bought."""
    now = rows_of(known)
    table = pl.DataFrame(now.values, schema=list(CONTRACT.names)).with_columns(customer=pl.Series(now.customers))
    cutoff = END - SPAN
    then = rows_of(known.at(cutoff))
    gone = labels.ended(known, then.customers, END - timedelta(days=3650), timedelta(days=3650) - SPAN) > 0
    names = tuple(name for name, left in zip(then.customers, gone, strict=True) if not left)
    kinds = ("inquiry", "complaint", "contact", "visit", "campaign")
    costs = labels.cost(known, names, cutoff, SPAN, kinds, glossary.assumptions.cost_to_serve)
    came = labels.value(known, names, cutoff, SPAN, "margin") - costs
    pairs = labels.bought(known, cutoff, SPAN, "type")
    bought = np.array([[(name, item) in pairs for item in SOLD] for name in names], dtype=np.float64)
    return table, (then.values[~gone], labels.ended(known, names, cutoff, SPAN), came, bought)


def _predicted(before: list[Before], rows: Array, seed: int) -> tuple[Array, Array, dict[str, Array]]:
    """Predict risk, margin and what is bought by what came in the last period."""
    then, left, came, bought = (np.concatenate([one[place] for one in before]) for place in range(4))
    fit = Fit(seed)

    def chance(outcome: Array) -> Array:
        return np.asarray(
            1 / (1 + np.exp(-boost({"objective": "binary"}, then, outcome, CONTRACT.names, fit).scores(rows)))
        )

    margin = boost({"objective": "regression"}, then, came, CONTRACT.names, fit)
    anyway = {item: chance(bought[:, place]) for place, item in enumerate(SOLD)}
    return chance(left), np.maximum(margin.scores(rows), 0.0), anyway
