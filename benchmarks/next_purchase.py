"""Next purchases beside the peers of the field: `python -m benchmarks.next_purchase [--ta-feng FILE] [--json]`.

Each customer's last basket, and the 28 days after one cutoff, on Complete Journey (by product type and by product) and,
where its file is named, on Ta-Feng (by product). Ours is the ranker that `train` fits, on earlier baskets or earlier
cutoffs; it sees of everybody only what lies before the day that it is asked on. The peers see every basket of the
customers but those asked for. "holds" is as in `benchmarks.models`, which has these rows too.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from benchmarks import tifuknn
from benchmarks.bars import Bars, against_bars
from benchmarks.baskets import HORIZON_DAYS, Question, baskets, by_cutoff, by_turn, first_days, regular
from benchmarks.report import Row, options, say
from benchmarks.tifuknn import Best, ByCount, ByTime, Past
from benchmarks.timing import seconds, within
from features.affinity import PAIR_FEATURES, ItemTable, Pairs, item_table, pairs_of
from features.clock import DAY, after_history, from_microseconds, live, microseconds
from features.feature import Array
from features.history import History
from features.home import ROOT
from features.items import Links
from features.known import Known
from features.packed import CustomerEvents, pack_all
from features.segments import segments_of
from features.sources.ingest import ingest
from features.sources.source import find_source
from holdfast.sample import SOURCE, wheel
from models.calibration import IDENTITY
from models.next_purchase import NextPurchaseModel
from models.trees import Trees
from serving.ranking import Ranker
from training.boosting import Fit
from training.cutoffs import plan_cutoffs
from training.dataset import PairWindow
from training.evaluation import means
from training.horizon import Horizon
from training.next_purchase import fit_pairs, fit_visits, spaced

BEST, LEARNING_TURNS, LEARNING_DAYS = 10, (2, 3, 4), 45
MILLISECONDS, TIMED = 5.0, 200
# As published for Ta-Feng, and two of the grid that suits longer histories; chosen on the baskets before the last.
BY_TIME = (ByTime(190, 1.0, 0.2, 475, 0.2), ByTime(14, 1.0, 0.9, 100, 0.7), ByTime(30, 1.0, 0.9, 300, 0.3))
BY_COUNT = ByCount(10, 1.0, 1.0, 425, 0.4)
METRICS = ("recall", "NDCG", "recall of repeats", "recall of new items", "recall of new items among the best new")
# To beat, to reach, to aim for: recall and NDCG of the last basket.
BARS: Mapping[str, Bars] = {
    "Ta-Feng by product": {"recall": (0.172, 0.220, 0.245), "NDCG": (0.138, 0.195, 0.220)},
    "Complete Journey by type": {"recall": (0.219, 0.228, 0.245), "NDCG": (0.215, 0.224, 0.240)},
    "Complete Journey by product": {"recall": (0.149, 0.156, 0.175), "NDCG": (0.146, 0.156, 0.175)},
}
_OWNED = PAIR_FEATURES.index("item_days")


def main() -> None:
    """Ask ours and the peers the same questions, and print what came of it."""
    parser = options(__doc__ or "")
    parser.add_argument("--ta-feng", type=Path, help="ta_feng_all_months_merged.csv")
    told = parser.parse_args()
    say("Next purchases beside the strongest peer of the run", list(rows(told.ta_feng, Fit())), told.json)


def rows(ta_feng: Path | None, fit: Fit) -> Iterator[Row]:
    """Judge every data set that is at hand."""
    if ta_feng:
        known, timed = _taken_in("ta_feng", ta_feng)
        yield from _judged("Ta-Feng by product", regular(known), timed, "product", fit)
    known, timed = _taken_in(SOURCE, wheel())
    for level in ("type", "product"):
        yield from _judged(f"Complete Journey by {level}", known, timed, level, fit)


def _taken_in(source: str, path: Path) -> tuple[Known, list[CustomerEvents]]:
    """Take a data set into a store of its own; returns its purchases, and some customers' packed histories."""
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/history.db")
        ingest(history, find_source(ROOT / "playbook" / "sources", source), [path], Path(folder) / "refused", live())
        known = history.known_by(after_history(history.newest)())
        some = known.events["customer"].unique().sort().sample(TIMED, seed=7)
        packed = [pack_all(history.of_customer(history.references_of(one, known.as_of), known.as_of)) for one in some]
        history.close()
    return replace(known, records=known.events.filter(pl.col("kind") == "purchase")), packed


def _judged(name: str, known: Known, timed: Sequence[CustomerEvents], level: str, fit: Fit) -> Iterator[Row]:
    listed = baskets(known, level)
    learn = [question for turn in LEARNING_TURNS for question in by_turn(listed, turn, LEARNING_DAYS)]
    tests = by_turn(listed, 1, len(listed))
    trees = fit_pairs([_slim(_window(known, level, question)) for question in learn], fit)
    ours = _best(known, level, trees, tests)
    yield from _beside(f"{name}, last basket", listed, tests, ours, _by_turn_peers(listed), BARS[name], fit.seed)
    cutoff, past = _cutoffs(listed)
    learned = [_window(known, level, by_cutoff(listed, day)) for day in past]
    trees, asked = fit_pairs(learned, fit), [by_cutoff(listed, cutoff)]
    ours = _best(known, level, trees, asked)
    peers = _peers(listed.filter(pl.col("day") < cutoff), BY_TIME[1])
    yield from _beside(f"{name}, {HORIZON_DAYS} days", listed, asked, ours, peers, {}, fit.seed)
    yield within(
        f"{name}: median ms of a customer's ranking, made afresh", _timed(known, trees, learned[0], timed), MILLISECONDS
    )


def _cutoffs(listed: pl.DataFrame) -> tuple[int, list[int]]:
    """Place the test's cutoff and those to learn from as `train` does; days since 1970."""
    first, last = (int(listed["day"].to_numpy().min()), int(listed["day"].to_numpy().max()) + 1)
    plan = plan_cutoffs(Horizon(HORIZON_DAYS, 2 * HORIZON_DAYS, first * DAY, last * DAY, ""))
    learn = spaced(plan.learn, plan.horizon)
    return microseconds(plan.test) // DAY, [microseconds(moment) // DAY for moment in learn]


def _window(known: Known, level: str, question: Question) -> PairWindow:
    """Measure the candidates of those who are asked for, as of the start of the day, and which they took."""
    then = known.at(from_microseconds(question.day * DAY))
    table = item_table(then, level)
    pairs = pairs_of(then, table, question.answers["customer"].unique().to_list())
    answers: set[tuple[str, str]] = set(question.answers.iter_rows())
    taken = [pair in answers for pair in zip(pairs.customers, pairs.items, strict=True)]
    return PairWindow(then.as_of, table, pairs, np.array(taken, dtype=np.float64), answers)


def _slim(window: PairWindow) -> PairWindow:
    """Keep what trees are fitted on, in half the room: there are a hundred of these."""
    nobody, nothing = window.pairs.customers[:0], Links(np.zeros((0, 0), np.int64), np.zeros((0, 0)))
    empty = ItemTable(window.table.level, (), window.table.statistics[:0], np.zeros(0, np.int64), nothing, nothing)
    pairs = Pairs(nobody, nobody, window.pairs.values.astype(np.float32))
    return PairWindow(window.cutoff, empty, pairs, window.taken, set())


def _best(known: Known, level: str, trees: Trees, tests: Sequence[Question]) -> Best:
    best: Best = {}
    for question in tests:
        pairs = _window(known, level, question).pairs
        best |= _listed(pairs, trees.scores(pairs.values))
    return best


def _listed(pairs: Pairs, scores: Array) -> Best:
    best: Best = {}
    own = pairs.values[:, _OWNED] > 0
    for place in np.lexsort((-scores, pairs.customers.astype(str))).tolist():
        every, new = best.setdefault(str(pairs.customers[place]), ([], []))
        for listed in (every,) if own[place] else (every, new):
            if len(listed) < BEST:
                listed.append(str(pairs.items[place]))
    return best


def _timed(known: Known, trees: Trees, window: PairWindow, timed: Sequence[CustomerEvents]) -> float:
    """Time rankings of customers one by one, of histories not ranked before; the median in milliseconds."""
    segments = segments_of(known, window.table)
    ranker = Ranker(NextPurchaseModel(trees, fit_visits([window], Fit()), IDENTITY, window.table, segments))
    return 1_000 * median(seconds(partial(ranker.rank, events, known.as_of)) for events in timed)


def _by_turn_peers(listed: pl.DataFrame) -> dict[str, Best]:
    """Choose the time-aware peer's settings on the baskets before the last, and refit on all but the last."""
    before = Past.of(listed.filter(pl.col("turn") > 2))
    wanted = dict(listed.filter(pl.col("turn") == 2).group_by("customer").agg("item").iter_rows())

    def gain(rule: ByTime) -> float:
        best = tifuknn.neighbours_best(before, rule, BEST)
        return float(np.mean([_gain(best.get(one, ([], []))[0], set(items)) for one, items in wanted.items()]))

    return _peers(listed.filter(pl.col("turn") > 1), max(BY_TIME, key=gain))


def _peers(past: pl.DataFrame, by_time: ByTime) -> dict[str, Best]:
    known = Past.of(past)
    return {
        "P-TopFreq": tifuknn.frequency_best(known, False, BEST),
        "GP-TopFreq": tifuknn.frequency_best(known, True, BEST),
        "TIFUKNN": tifuknn.neighbours_best(known, BY_COUNT, BEST),
        "TIFUKNN-TA": tifuknn.neighbours_best(known, by_time, BEST),
    }


def _beside(
    name: str, listed: pl.DataFrame, tests: Sequence[Question], ours: Best, peers: Mapping[str, Best], bars: Bars,
    seed: int,
) -> Iterator[Row]:  # fmt: skip
    first = first_days(listed)
    mine, *theirs = (_measured(first, tests, best) for best in (ours, *peers.values()))
    rules = {metric: dict(zip(peers, (one[metric] for one in theirs), strict=True)) for metric in METRICS}
    for one in means("next_purchase", mine, rules, seed):
        yield against_bars(name, one, bars, sign=+1)


def _measured(first: Mapping[tuple[str, str], int], tests: Sequence[Question], best: Best) -> dict[str, Array]:
    """Measure each customer's list by `METRICS`; NaN where a basket holds nothing to be found."""
    found = []
    for question in tests:
        for customer, items in question.answers.group_by("customer", maintain_order=True).agg("item").iter_rows():
            every, new = best.get(customer, ([], []))
            wanted = set(items)
            old = {item for item in wanted if first[customer, item] < question.day}
            parts = ((wanted, every), (old, every), (wanted - old, every), (wanted - old, new))
            recall, *apart = (len(part & set(listed)) / len(part) if part else np.nan for part, listed in parts)
            found.append((recall, _gain(every, wanted), *apart))
    return dict(zip(METRICS, np.array(found).T, strict=True))


def _gain(listed: Sequence[str], wanted: set[str]) -> float:
    """Compute NDCG, the ideal being the whole basket in front.

    >>> round(_gain(["milk", "tea"], {"tea", "bread"}), 3)
    0.387
    """
    gained = sum(1 / np.log2(place + 2) for place, item in enumerate(listed) if item in wanted)
    return float(gained / sum(1 / np.log2(place + 2) for place in range(len(wanted))))


if __name__ == "__main__":
    main()
