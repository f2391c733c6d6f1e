"""Next purchases beside the peers of the field: `python -m benchmarks.next_purchase [--ta-feng CSV] [--json]`.

Each customer's last basket, and the 28 days after one cutoff, on Complete Journey (by product type and product) and,
where its file is named, on Ta-Feng. Ours learns from earlier baskets, or at earlier cutoffs, and sees of everybody only
what lies before the day that it is asked on. The peers see every earlier basket of the customers.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import tifuknn
from benchmarks.baskets import HORIZON_DAYS, Question, baskets, by_cutoff, by_turn, regular
from benchmarks.report import Row, options, say
from benchmarks.tifuknn import ByCount, ByTime, Past
from features.affinity import PAIR_FEATURES, Pairs, item_table, pairs_of
from features.aggregates import DAY
from features.clock import after_history, from_microseconds, live
from features.feature import Array
from features.history import History, Known
from features.home import ROOT
from features.sources.ingest import ingest
from features.sources.source import find_source
from holdfast.sample import SOURCE, wheel
from training.boosting import Fit, boost

BEST, LEARNING_TURNS, LEARNING_DAYS, DRAWS = 10, (2, 3, 4), 45, 1_000
FIT = Fit(trees=200, parameters={"learning_rate": 0.1, "num_leaves": 15, "feature_fraction": 0.6})
# As published for Ta-Feng, and two of the grid that suits longer histories; chosen on the baskets before the last.
BY_TIME = (ByTime(190, 1.0, 0.2, 475, 0.2), ByTime(14, 1.0, 0.9, 100, 0.7), ByTime(30, 1.0, 0.9, 300, 0.3))
BY_COUNT = ByCount(10, 1.0, 1.0, 425, 0.4)

Best = dict[str, list[str]]


def main() -> None:
    """Ask ours and the peers the same questions, and print what came of it."""
    parser = options(__doc__ or "")
    parser.add_argument("--ta-feng", type=Path, help="ta_feng_all_months_merged.csv")
    told = parser.parse_args()
    rows: list[Row] = []
    if told.ta_feng:
        rows += _rows("Ta-Feng", regular(_known("ta_feng", told.ta_feng)), "product")
    households = _known(SOURCE, wheel())
    for level in ("type", "product"):
        rows += _rows(f"Complete Journey by {level}", households, level)
    say("Next purchases; the gain with its paired 95 % interval over customers", rows, told.json)


def _known(source: str, path: Path) -> Known:
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/history.db")
        ingest(history, find_source(ROOT / "playbook" / "sources", source), [path], Path(folder) / "refused", live())
        known = history.known_by(after_history(history.newest)())
        history.close()
    return replace(known, records=known.events.filter(pl.col("kind") == "purchase"))


def _rows(name: str, known: Known, level: str) -> Iterator[Row]:
    listed = baskets(known, level)
    learn = [question for turn in LEARNING_TURNS for question in by_turn(listed, turn, LEARNING_DAYS)]
    tests = by_turn(listed, 1, len(listed))
    yield from _beside(f"{name}, last basket", known, level, learn, tests, _by_turn_peers(listed))
    cutoff = int(listed["day"].max()) - HORIZON_DAYS + 1  # type: ignore[arg-type]
    learn = [by_cutoff(listed, cutoff - HORIZON_DAYS * back) for back in (1, 2)]
    past = listed.filter(pl.col("day") < cutoff)
    yield from _beside(f"{name}, 28 days", known, level, learn, [by_cutoff(listed, cutoff)], _peers(past, BY_TIME[1]))


def _beside(
    name: str, known: Known, level: str, learn: list[Question], tests: list[Question], peers: dict[str, Best]
) -> Iterator[Row]:
    ours = _ours(known, level, learn, tests)
    mine = _judged(known, level, tests, ours)
    for peer, best in peers.items():
        theirs = _judged(known, level, tests, best)
        for place, metric in enumerate(("recall", "NDCG", "recall of repeats", "recall of new items")):
            yield _row(f"{name}: {metric} at 10 against {peer}", mine[:, place], theirs[:, place])


def _row(figure: str, ours: Array, theirs: Array) -> Row:
    kept = ~np.isnan(ours)
    ours, theirs = ours[kept], theirs[kept]
    draws = np.random.default_rng(7).integers(0, len(ours), (DRAWS, len(ours)))
    low, high = np.quantile((ours - theirs)[draws].mean(axis=1), [0.025, 0.975])
    ratio = ours.mean() / max(theirs.mean(), 1e-9)
    bar = f"gain surely above 0 ({low:+.4f} … {high:+.4f})"
    return Row(figure, float(ours.mean()), float(theirs.mean()), float(ratio), bar, bool(low > 0))


def _ours(known: Known, level: str, learn: Sequence[Question], tests: Sequence[Question]) -> Best:
    rows, taken = [], []
    for question in learn:
        pairs = _pairs(known, level, question)
        rows.append(pairs.values.astype(np.float32))
        taken.append(_taken(pairs, question))
    trees = boost({"objective": "binary"}, np.concatenate(rows), np.concatenate(taken), PAIR_FEATURES, FIT)
    best: Best = {}
    for question in tests:
        pairs = _pairs(known, level, question)
        scores = trees.scores(pairs.values)
        for place in np.lexsort((-scores, pairs.customers.astype(str))).tolist():
            listed = best.setdefault(str(pairs.customers[place]), [])
            if len(listed) < BEST:
                listed.append(str(pairs.items[place]))
    return best


def _pairs(known: Known, level: str, question: Question) -> Pairs:
    then = known.at(from_microseconds(question.day * DAY))
    return pairs_of(then, item_table(then, level), question.answers["customer"].unique().to_list())


def _taken(pairs: Pairs, question: Question) -> Array:
    answers = set(question.answers.iter_rows())
    return np.array([pair in answers for pair in zip(pairs.customers, pairs.items, strict=True)], dtype=np.float64)


def _by_turn_peers(listed: pl.DataFrame) -> dict[str, Best]:
    """Choose the time-aware peer's settings on the baskets before the last, and refit on all but the last."""
    before = Past.of(listed.filter(pl.col("turn") > 2))
    wanted = dict(listed.filter(pl.col("turn") == 2).group_by("customer").agg("item").iter_rows())
    chosen = max(BY_TIME, key=lambda rule: _ndcg(tifuknn.neighbours_best(before, rule, BEST), wanted))
    return _peers(listed.filter(pl.col("turn") > 1), chosen)


def _ndcg(best: Best, wanted: dict[str, list[str]]) -> float:
    return float(np.mean([_gain(best.get(customer, []), set(items)) for customer, items in wanted.items()]))


def _peers(past: pl.DataFrame, by_time: ByTime) -> dict[str, Best]:
    known = Past.of(past)
    return {
        "P-TopFreq": tifuknn.frequency_best(known, False, BEST),
        "GP-TopFreq": tifuknn.frequency_best(known, True, BEST),
        "TIFUKNN": tifuknn.neighbours_best(known, BY_COUNT, BEST),
        "TIFUKNN-TA": tifuknn.neighbours_best(known, by_time, BEST),
    }


def _judged(known: Known, level: str, tests: Sequence[Question], best: Best) -> Array:
    """Judge each customer's list: recall, NDCG, recall of repeats and of new items; shape (customers, 4)."""
    first = dict(
        baskets(known, level).group_by("customer", "item").agg(pl.col("day").min()).select(
            pl.concat_str("customer", "item", separator="\x1f"), "day"
        ).iter_rows()
    )  # fmt: skip
    found = []
    for question in tests:
        for customer, items in question.answers.group_by("customer", maintain_order=True).agg("item").iter_rows():
            listed, wanted = best.get(customer, []), set(items)
            old = {item for item in wanted if first[f"{customer}\x1f{item}"] < question.day}
            parts = (wanted, old, wanted - old)
            recall, repeat, new = (len(part & set(listed)) / len(part) if part else np.nan for part in parts)
            found.append((recall, _gain(listed, wanted), repeat, new))
    return np.array(found)


def _gain(listed: Sequence[str], wanted: set[str]) -> float:
    """Compute NDCG, the ideal being the whole basket in front.

    >>> round(_gain(["milk", "tea"], {"tea", "bread"}), 3)
    0.387
    """
    gained = sum(1 / np.log2(place + 2) for place, item in enumerate(listed) if item in wanted)
    return float(gained / sum(1 / np.log2(place + 2) for place in range(len(wanted))))


if __name__ == "__main__":
    main()
