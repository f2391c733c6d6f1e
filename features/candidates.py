"""Which items are a customer's candidates, and what is measured of each; for one customer or many at once.

Batch and online meet here: both bring purchase lines, so that their numbers can't differ but by what they read.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.clock import DAY
from features.feature import Array
from features.formulas import ratio
from features.items import POPULAR, STATISTICS, ItemTable, Links, Whole

OWN, SIMILAR, TOGETHER = 60, 25, 15  # items of each sort; the table has those popular of old and of late
HALF_LIVES = (28, 91)
CANDIDATE_DEFINITION = (OWN, SIMILAR, TOGETHER, HALF_LIVES)
_N91, _N, _DECAYED_28, _SPEND, _LINES = 0, 1, 2, 4, 5  # columns of `_Own.sums`


@dataclass(frozen=True)
class Lines:
    """Purchase lines: by whom (0 to `customers`), of what, on which day since 1970, for how many ten-thousandths.

    An item is its place in the table, or a number beyond it (up to `items`), by name, where the table lacks it.
    """

    owner: Whole
    item: Whole
    day: Whole
    amount: Whole
    customers: int
    items: int


@dataclass(frozen=True)
class _Days:
    """Distinct days on which a customer bought an item, by customer, item and day, with their spend and lines."""

    owner: Whole
    item: Whole
    day: Whole
    spend: Whole
    lines: Whole


@dataclass(frozen=True)
class _Visits:
    """Each customer's days of purchase once, in order, numbered customer × span + day − start."""

    keys: Whole
    span: int
    start: int


@dataclass(frozen=True)
class _Own:
    """A customer's items, by customer and item, with the first and last day; `sums` has shape (own items, 6).

    `baskets_since` counts the customer's baskets after the item's last, and `baskets` those from its first on.
    """

    owner: Whole
    item: Whole
    first: Whole
    last: Whole
    baskets_since: Array
    baskets: Array
    sums: Array


@dataclass(frozen=True)
class _Customers:
    """Each customer's days of purchase in 28, 91 and all days, days since the last, and items per day in 91 days.

    `variety` is the share of items among days with them; of `similar` and `together` see `_linked`.
    """

    days_28: Array
    days_91: Array
    days: Array
    since: Array
    basket: Array
    variety: Array
    similar: Array
    together: Array


def candidates(lines: Lines, table: ItemTable, as_of: int) -> tuple[Whole, Whole, Array]:
    """List every customer's candidates, by customer and place, and measure them: shape (pairs, `PAIR_FEATURES`).

    They are what the customer bought most, what is popular or trending, and the best of what is like the customer's
    items or goes with the last of them, among items not listed yet.
    """
    days = _days(lines)
    visits = _visits(days)
    own = _own(days, visits, lines.items, as_of)
    customers = _customers(days, visits, own, lines.customers, table, as_of)
    owner, item = _chosen(own, customers, lines.items, table)
    return owner, item, _values(owner, item, own, customers, lines, table, as_of)


def _days(lines: Lines) -> _Days:
    start = lines.day.min(initial=0)
    span = lines.day.max(initial=0) - start + 1
    key = (lines.owner * lines.items + lines.item) * span + lines.day - start
    order = np.argsort(key, kind="stable")
    begins = np.flatnonzero(np.diff(key[order], prepend=-1))
    one = order[begins]
    spend = np.add.reduceat(np.maximum(lines.amount, 0)[order], begins)
    return _Days(lines.owner[one], lines.item[one], lines.day[one], spend, np.diff(begins, append=len(order)))


def _visits(days: _Days) -> _Visits:
    start = int(days.day.min(initial=0))
    span = int(days.day.max(initial=0)) - start + 2
    return _Visits(np.unique(days.owner * span + days.day - start), span, start)


def _own(days: _Days, visits: _Visits, items: int, as_of: int) -> _Own:
    begins = np.flatnonzero(np.diff(days.owner * items + days.item, prepend=-1))
    ends = np.append(begins[1:], len(days.day))[: len(begins)] - 1
    age = (as_of - days.day * DAY) / DAY
    recent = age <= 91
    decayed = [np.exp2(-age / half_life) for half_life in HALF_LIVES]
    parts = [recent, np.ones(len(age)), *decayed, days.spend * recent, days.lines * recent]
    sums = np.add.reduceat(np.column_stack(parts), begins, axis=0)
    owner, first, last = days.owner[begins], days.day[begins], days.day[ends]
    keys, begin = visits.keys, owner * visits.span - visits.start
    newest = np.searchsorted(keys, (owner + 1) * visits.span)
    since = newest - np.searchsorted(keys, begin + last, side="right")
    baskets = newest - np.searchsorted(keys, begin + first)
    return _Own(owner, days.item[begins], first, last, since.astype(np.float64), baskets.astype(np.float64), sums)


def _customers(
    days: _Days, visits: _Visits, own: _Own, size: int, table: ItemTable, as_of: int
) -> _Customers:  # fmt: skip
    visitor, day = visits.keys // visits.span, visits.keys % visits.span + visits.start
    age = (as_of - day * DAY) / DAY
    newest = np.full(size, visits.start)
    np.maximum.at(newest, visitor, day)
    last = np.flatnonzero(days.day == newest[days.owner])
    days_28, days_91 = (_sums(visitor, (age <= span).astype(np.float64), size) for span in (28, 91))
    item_days_91, item_days = (_sums(own.owner, own.sums[:, part], size) for part in (_N91, _N))
    return _Customers(
        days_28,
        days_91,
        np.bincount(visitor, minlength=size).astype(np.float64),
        (as_of - newest * DAY) / DAY,
        ratio(item_days_91, days_91),
        ratio(np.bincount(own.owner, minlength=size).astype(np.float64), item_days),
        _linked(table.similar, own.owner, own.item, own.sums[:, _DECAYED_28] * (own.sums[:, _N91] > 0), size),
        _linked(table.together, days.owner[last], days.item[last], np.ones(len(last)), size),
    )


def _linked(links: Links, owner: Whole, item: Whole, weight: Array, size: int) -> Array:
    """Average the links of each customer's items, by weight; NaN without items.

    Shape (customers, linked items + 1): the last column is that of every item without links.
    """
    total, width = _sums(owner, weight, size), len(links.places)
    columns = width + 1
    kept = np.flatnonzero((item < width) & (weight > 0))
    owner, item, weight = owner[kept], item[kept], weight[kept]
    cells = owner[:, None] * columns + links.places[item]
    flows = (weight / total[owner])[:, None] * links.weights[item]
    scores = _sums(cells.ravel(), flows.ravel(), size * columns).reshape(size, columns)
    scores[total <= 0] = np.nan
    return scores


def _chosen(own: _Own, customers: _Customers, items: int, table: ItemTable) -> tuple[Whole, Whole]:
    chosen = np.zeros((len(customers.days_91), items), dtype=bool)
    order = np.lexsort((own.item, -own.last, -own.sums[:, _N], -own.sums[:, _N91], own.owner))
    top = order[np.arange(len(order)) - np.searchsorted(own.owner, own.owner) < OWN]
    chosen[own.owner[top], own.item[top]] = True
    chosen[:, : min(POPULAR, len(table.items))] = True
    chosen[:, table.trending] = True
    for scores, most in ((customers.similar, SIMILAR), (customers.together, TOGETHER)):
        linked = scores[:, :-1]
        _choose(chosen[:, : linked.shape[1]], linked, most)
    owner, item = np.nonzero(chosen)
    return owner, item


def _choose(chosen: npt.NDArray[np.bool_], scores: Array, most: int) -> None:
    """Choose the highest scores above 0 of what isn't chosen yet; of equal ones the first."""
    left = np.where(chosen | ~(scores > 0), 0.0, scores)
    some = np.flatnonzero(left.any(axis=1))
    best = np.argsort(-left[some], axis=1, kind="stable")[:, :most]
    owner, rank = np.nonzero(np.take_along_axis(left[some], best, axis=1))
    chosen[some[owner], best[owner, rank]] = True


def _values(
    owner: Whole, item: Whole, own: _Own, customers: _Customers, lines: Lines, table: ItemTable, as_of: int
) -> Array:
    place = _found(own.owner * lines.items + own.item, owner * lines.items + item)
    sums = np.append(own.sums, np.zeros((1, own.sums.shape[1])), axis=0)[place].T
    days_91, days = customers.days_91[owner], customers.days[owner]
    linked = np.minimum(item, customers.similar.shape[1] - 1)
    statistics = np.full((len(item), STATISTICS), np.nan)
    statistics[item < len(table.items)] = table.statistics[item[item < len(table.items)]]
    return np.column_stack(
        [*sums[:_SPEND], ratio(sums[_N91], days_91), ratio(sums[_N], days),
         *(np.append(column, np.nan)[place] for column in _rhythm(own, as_of)),
         _basket_share(sums, own, owner, len(customers.days)),
         *_group(own, owner, item, table, as_of),
         *statistics.T, customers.similar[owner, linked], customers.together[owner, linked],
         customers.days_28[owner], days_91, customers.since[owner], customers.basket[owner], customers.variety[owner]]
    )  # fmt: skip


def _found(keys: Whole, wanted: Whole) -> Whole:
    """Find each wanted key's place among keys in order; the length of the keys where it isn't there."""
    place = np.searchsorted(keys, wanted)
    place[np.append(keys, -1)[place] != wanted] = len(keys)
    return place


def _rhythm(own: _Own, as_of: int) -> tuple[Array, ...]:
    first, last = own.first.astype(np.float64), own.last.astype(np.float64)
    since, count = (as_of - last * DAY) / DAY, own.sums[:, _N]
    gap = ratio(last - first, count - 1)
    return ratio(count, own.baskets), own.baskets_since, since, gap, ratio(since, gap)


def _group(own: _Own, owner: Whole, item: Whole, table: ItemTable, as_of: int) -> tuple[Array, Array]:
    """Add up the decayed days of the customer's items of one group, and count the days since the last of them."""
    parents = np.append(table.parents, -1)
    groups, strange = int(parents.max()) + 1, len(table.parents)
    mine, wanted = parents[np.minimum(own.item, strange)], parents[np.minimum(item, strange)]
    kept = np.flatnonzero(mine >= 0)
    keys, inside = np.unique(own.owner[kept] * groups + mine[kept], return_inverse=True)
    newest = np.full(len(keys), own.last.min(initial=0))
    np.maximum.at(newest, inside, own.last[kept])
    place = _found(keys, np.where(wanted >= 0, owner * groups + wanted, -2))
    decayed = np.append(_sums(inside, own.sums[kept, _DECAYED_28], len(keys)), 0.0)[place]
    return decayed, np.append((as_of - newest * DAY) / DAY, np.nan)[place]


def _basket_share(sums: Array, own: _Own, owner: Whole, size: int) -> Array:
    """Divide the spend of 91 days among items; where there is none, the lines."""
    spend, lines = (_sums(own.owner, own.sums[:, part], size)[owner] for part in (_SPEND, _LINES))
    return np.where(spend > 0, ratio(sums[_SPEND], spend), ratio(sums[_LINES], lines))


def _sums(place: Whole, weight: Array, size: int) -> Array:
    return np.bincount(place, weight, size).astype(np.float64)
