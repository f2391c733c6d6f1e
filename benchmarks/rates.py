"""What asking a running service takes: beside its own no-op, and beside other servers."""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import numpy as np
import numpy.typing as npt

from benchmarks.crowded import Crowd
from benchmarks.load import Client, client, post
from benchmarks.model_servers import peers
from benchmarks.report import Row
from benchmarks.timing import against, quantile, within
from features.feature import Array

_PEER_ROUNDS, _BLOCK = 20, 50
_SOCKETS, _ROUND = 16, 320
_MOST_MEDIAN, _MOST_TAIL, _LEAST_RATE = 2.0, 2.5, 0.45
_MOST_TIMES, _MOST_MILLISECONDS, _MOST_VISITS = 8.0, 50.0, 50.0
_VISITS = 500
Asking = Callable[[int, int], list[bytes]]
Places = npt.NDArray[np.int64]


def latency(asked: Client, crowd: Crowd, rounds: int) -> list[Row]:
    """Set decisions beside the no-op, at one client and at sixteen."""
    _warm(asked, crowd)
    ours, theirs = _by_turns(asked, (crowd.decisions, crowd.nothing), rounds, _BLOCK)
    rates = _rates(asked, (crowd.decisions, crowd.nothing), max(rounds // 4, 2))
    return [
        _beside("decision beside the no-op, median, ms", ours, theirs, 0.5, _MOST_MEDIAN),
        _beside("decision beside the no-op, 99th percentile, ms", ours, theirs, 0.99, _MOST_TAIL),
        _faster(f"decisions a second beside the no-op's, {_SOCKETS} clients", rates, _LEAST_RATE),
    ]


def tails(asked: Client, crowd: Crowd, decisions: int) -> list[Row]:
    """Tell the longest waits of many decisions at one client, and the no-op's in the same minutes."""
    _warm(asked, crowd)
    block = 500
    ours, theirs = _by_turns(asked, (crowd.decisions, crowd.nothing), max(decisions // block, 1), block)
    mine, other = (np.concatenate(some) for some in (ours, theirs))
    times, others = (quantile(some.tolist(), 0.999) / median(some.tolist()) for some in (mine, other))
    late, later = (int((some > _MOST_MILLISECONDS).sum()) for some in (mine, other))
    said = f"of {len(mine):,} decisions, beside the no-op's"
    return [
        Row(
            f"99.9th percentile {said}, times the median",
            times,
            others,
            times / _MOST_TIMES,
            "<= 1",
            times <= _MOST_TIMES,
        ),
        Row(f"longest {said}, ms", mine.max(), other.max(), mine.max() / _MOST_MILLISECONDS, "<= 1", late == 0),
        Row(f"over 50 ms, {said}", late, later, float(late), "<= 0", late == 0),
    ]


def side_by_side(asked: Client, crowd: Crowd) -> list[Row]:
    """Set decisions beside what other servers take for one row's churn by the same booster."""
    _warm(asked, crowd)
    rows = []
    with peers(crowd) as running:
        for name, (url, request) in running.items():
            with client(url) as other:
                asking: list[tuple[Client, Asking]] = [
                    (asked, crowd.decisions),
                    (other, partial(_same, request)),
                ]
                for each, requests in asking:
                    each.ask(requests(100, 0))
                pairs = [
                    [one.ask(of(_BLOCK, _BLOCK * turn)).times for one, of in asking] for turn in range(_PEER_ROUNDS)
                ]
                ours, theirs = ([np.array(pair[side]) for pair in pairs] for side in (0, 1))
                fast = [[_rate(one, of(_ROUND, 0)) for one, of in asking] for _ in range(3)]
                fast = [list(one) for one in zip(*fast, strict=True)]
            rows.append(_beside(f"decision beside {name}, median, ms", ours, theirs, 0.5, 1.0))
            rows.append(_faster(f"decisions a second beside {name}, {_SOCKETS} clients", fast, 1.0))
    return rows


def _same(request: bytes, count: int, _: int) -> list[bytes]:
    return [request] * count


def prioritising(asked: Client, crowd: Crowd) -> list[Row]:
    """Time one call of many visits to as many customers."""
    names = crowd.many(_VISITS)
    visits = [f'{{"visit_id": "{number}", "customer": "{name}"}}' for number, name in enumerate(names)]
    request = post("/v1/visits/prioritise", f'{{"visits": [{", ".join(visits)}]}}'.encode())
    first = asked.ask([request]).times[0]
    times = asked.ask([request] * 20).times
    said = f"{len(visits)} visits to as many customers in one call"
    return [
        within(f"{said}, median of 20, ms", median(times), _MOST_VISITS),
        against(f"{said}, the first time, ms", first, _MOST_VISITS, None),
    ]


def _warm(asked: Client, crowd: Crowd) -> None:
    asked.ask(crowd.decisions(len(crowd.names)))
    asked.ask(crowd.nothing(200))


def _by_turns(asked: Client, ways: Sequence[Asking], blocks: int, block: int) -> list[list[Array]]:
    """Ask in blocks by turns; returns each way's blocks of times."""
    turns = [[np.array(asked.ask(way(block, block * turn)).times) for way in ways] for turn in range(blocks)]
    return [list(one) for one in zip(*turns, strict=True)]


def _rates(asked: Client, ways: Sequence[Asking], rounds: int) -> list[list[float]]:
    turns = [[_rate(asked, way(_ROUND, _ROUND * turn)) for way in ways] for turn in range(rounds)]
    return [list(one) for one in zip(*turns, strict=True)]


def _rate(asked: Client, requests: list[bytes]) -> float:
    return len(requests) / asked.ask(requests, _SOCKETS).seconds


def _beside(figure: str, ours: Sequence[Array], theirs: Sequence[Array], share: float, most: float) -> Row:
    """Set a quantile beside another, with the interval of the ratio by a paired bootstrap over blocks."""
    mine, other = np.stack(ours), np.stack(theirs)

    def told(some: Array) -> float:
        return float(np.quantile(some, share))

    ratios = [told(mine[drawn]) / told(other[drawn]) for drawn in _drawn(len(mine))]
    low, high = np.quantile(ratios, (0.025, 0.975))
    return against(f"{figure} (ratio {low:.2f} to {high:.2f})", told(mine), told(other), most)


def _faster(figure: str, rates: Sequence[Sequence[float]], least: float) -> Row:
    mine, other = (np.array(some) for some in rates)
    ratios = [mine[drawn].mean() / other[drawn].mean() for drawn in _drawn(len(mine))]
    low, high = np.quantile(ratios, (0.025, 0.975))
    ratio = float(mine.mean() / other.mean())
    said = f"{figure} (ratio {low:.2f} to {high:.2f})"
    return Row(said, float(mine.mean()), float(other.mean()), ratio, f">= {least:g}", ratio >= least)


def _drawn(blocks: int) -> Sequence[Places]:
    random = np.random.default_rng(1)
    return [random.integers(0, blocks, blocks) for _ in range(1_000)]
