"""Judging what is named for newcomers: of customers with attributes, as if nothing had been bought by them yet."""

import numpy as np

from features.known import Known
from features.segments import Segments, attributes_of
from training.dataset import PairWindow
from training.evaluation import Figure
from training.ranking import judge_ranking, ranking_parts

_NAMED = 10


def judge_newcomers(segments: Segments, then: Known, test: PairWindow, seed: int) -> list[Figure]:
    """Measure the recall of the ten items most popular in a customer's segments, beside those popular with everyone.

    The customers' own purchases are among those that the shares count, which flatters both sides, the segments a little
    more. Nothing is told where no segment is large enough, or nobody who belongs to one bought anything.
    """
    told = attributes_of(then)
    customers = [one for one in sorted({customer for customer, _ in test.bought}) if _belongs(segments, told.get(one))]
    if not customers:
        return []
    items = np.array(test.table.items[: len(segments.everyone)], dtype=np.str_)
    owners, named = np.repeat(np.array(customers, dtype=np.str_), len(items)), np.tile(items, len(customers))
    scores = {
        "by segment": np.concatenate([segments.popular(told[one]) for one in customers]),
        "popularity": np.tile(segments.everyone, len(customers)),
    }
    parts = {name: ranking_parts(owners, named, ranked, test.bought) for name, ranked in scores.items()}
    buyers, metric = parts["by segment"][0], f"recall at {_NAMED}"
    found = f"{metric}, as if newcomers"
    rules = {"popularity": parts["popularity"][1][metric]}
    return judge_ranking(buyers, {found: parts["by segment"][1][metric]}, {found: rules}, seed)


def _belongs(segments: Segments, attributes: dict[str, int] | None) -> bool:
    return attributes is not None and any(name in segments.places for name in attributes.items())
