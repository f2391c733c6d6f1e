"""Judging next-purchase rankings: what customers bought, in their ten best candidates."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.feature import Array
from training.evaluation import Figure, figure, means, replicates

Texts = npt.NDArray[np.str_]
_AT = 10
_BINS = 10


@dataclass(frozen=True)
class Top:
    """The best candidates of customers: `customers` and `items` in order, a customer's best first, `ranks` from 0."""

    customers: Texts
    items: Texts
    ranks: npt.NDArray[np.int64]

    @classmethod
    def of(cls, customers: Texts, items: Texts, scores: Array, at: int = _AT) -> "Top":
        """Take the best of pairs, all of shape (pairs,); equal scores go by the item's name."""
        owners, owner = np.unique(customers, return_inverse=True)
        names, item = np.unique(items, return_inverse=True)
        order = np.lexsort((item, -scores, owner))
        owner, item = owner[order], item[order]
        ranks = np.arange(len(owner)) - np.searchsorted(owner, owner)
        best = ranks < at
        return cls(owners[owner[best]], names[item[best]], ranks[best])


def ranking_parts(
    customers: Texts,
    items: Texts,
    scores: Array,
    bought: Collection[tuple[str, str]],
    at: int = _AT,
    owned: Collection[tuple[str, str]] | None = None,
) -> tuple[Texts, dict[str, Array]]:
    """Measure each buying customer's ranking: recall, NDCG and hit rate at ten, over all that they bought.

    `customers`, `items` and `scores` have shape (pairs,). Returns the customers who bought anything, and
    one value each per metric (Järvelin and Kekäläinen 2002 for NDCG, with binary gains; the ideal holds the whole
    basket, up to ten). With the pairs `owned` before, the same for items bought again and for items new to the customer
    apart, in the same ten places; NaN for a customer whose basket held none.
    """
    top = Top.of(customers, items, scores, at)
    ranked = set(top.customers.tolist())
    baskets = [(customer, item) for customer, item in bought if customer in ranked]
    buyers = np.array(sorted({customer for customer, _ in baskets}), dtype=np.str_)
    parts = _measured(top, buyers, baskets, at, "")
    if owned is not None:
        before = set(owned)
        again, new = [pair for pair in baskets if pair in before], [pair for pair in baskets if pair not in before]
        parts |= _measured(top, buyers, again, at, " of items bought again")
        parts |= _measured(top, buyers, new, at, " of new items")
    return buyers, parts


def _measured(
    top: Top, buyers: Texts, baskets: Collection[tuple[str, str]], at: int, of: str
) -> dict[str, Array]:  # fmt: skip
    places = {customer: place for place, customer in enumerate(buyers.tolist())}
    sizes = np.bincount([places[customer] for customer, _ in baskets], minlength=len(buyers)).astype(np.float64)
    wanted = set(baskets)
    hit = np.array(
        [pair in wanted for pair in zip(top.customers.tolist(), top.items.tolist(), strict=True)], dtype=bool
    )
    owner = np.array([places[customer] for customer in top.customers[hit].tolist()], dtype=np.int64)
    discounts = 1 / np.log2(np.arange(2, at + 2))
    ideal = np.concatenate([[np.nan], np.cumsum(discounts)])[np.minimum(sizes, at).astype(int)]
    hits = np.bincount(owner, minlength=len(buyers))
    gained = np.bincount(owner, discounts[top.ranks[hit]], minlength=len(buyers))
    return {
        f"recall at {at}{of}": hits / np.where(sizes > 0, sizes, np.nan),
        f"NDCG at {at}{of}": gained / ideal,
        f"hit rate at {at}{of}": np.where(sizes > 0, hits > 0, np.nan),
    }


def judge_ranking(
    truth: Texts, parts: Mapping[str, Array], baselines: Mapping[str, Mapping[str, Array]], seed: int
) -> list[Figure]:
    """Judge per-customer ranking metrics by their means, more being better; `truth` names the customers.

    `parts` and each metric's rules in `baselines` have shape (customers,), NaN where a customer has nothing to find.
    """
    for name, part in parts.items():
        assert len(part) == len(truth), f"expected {len(truth)} customers in {name}, found {len(part)}"
    return means("next_purchase", parts, baselines, seed)


def catalogue_coverage(
    customers: Texts, items: Texts, scores: Array, rules: Mapping[str, Array], catalogue: int, seed: int, at: int = _AT
) -> Figure:
    """Measure which share of a catalogue's items stands among anybody's ten best, for ours and for each rule.

    `scores` and each rule have shape (pairs,), as `customers` and `items`; `catalogue` counts all items.
    """
    everyone, items_named = np.unique(customers), np.unique(items)
    found = []
    for one in (scores, *rules.values()):
        top = Top.of(customers, items, one, at)
        found.append((np.searchsorted(everyone, top.customers), np.searchsorted(items_named, top.items)))

    def measured(weights: Array) -> Array:
        shown = [np.bincount(item, weights[owner], minlength=len(items_named)) > 0 for owner, item in found]
        return np.array([one.sum() / catalogue for one in shown])

    drawn = np.array([measured(weights) for weights in replicates(len(everyone), seed)])
    plain = measured(np.ones(len(everyone)))
    return figure(
        "next_purchase", f"share of the catalogue in a top {at}", +1, plain, drawn, tuple(rules), None, len(everyone)
    )


def pair_calibration(customers: Texts, taken: Array, probability: Array, seed: int) -> Figure:
    """Measure the calibration error of next-purchase probabilities over ten bins of equal count, by customer.

    All have shape (pairs,); customers are resampled whole, since their pairs go together.
    """
    everyone, owner = np.unique(customers, return_inverse=True)
    order = np.argsort(probability, kind="stable")
    bins = np.empty(len(order), dtype=np.int64)
    bins[order] = np.arange(len(order)) * _BINS // len(order)
    cell, size = owner * _BINS + bins, len(everyone) * _BINS
    gaps = np.bincount(cell, probability - taken, minlength=size).reshape(-1, _BINS)
    pairs = np.bincount(owner, minlength=len(everyone))

    def error(weights: Array) -> Array:
        return np.array([np.abs(weights @ gaps).sum() / (weights @ pairs)])

    drawn = np.array([error(weights) for weights in replicates(len(everyone), seed)])
    plain = error(np.ones(len(everyone)))
    return figure("next_purchase", "ECE of the probabilities", -1, plain, drawn, (), None, len(everyone))
