"""All offers' rules, laid out so that a thousand offers are told as fast as ten.

Rules are told in a few calls of the evaluator, whatever their number; which offer they stop is then a look-up.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from features.events import CHANNELS
from features.expressions import Expression
from features.glossary import Glossary
from features.sheets import Sheet
from serving import sentences
from serving.flips import Flipper
from serving.offers import KINDS, LAYERS, Offer, Rule, Weight
from serving.situation import Situation
from serving.stops import Change, Flip, Stop

Mask = npt.NDArray[np.bool_]
Words = frozenset[str]
T = TypeVar("T")
_MOST_KEPT, _MOST_PATTERNS, _MOST_FAILING = 1_024, 256, 8_192


@dataclass(frozen=True, slots=True)
class _Row:
    """One offer's rules in the order in which they are asked: the layer of each, the rule, and where it is told.

    `bound` are the places of the rules that share a word with another: a change to please one may undo another.
    `words` are what each rule rests on.
    """

    layers: tuple[str, ...]
    rules: tuple[Rule, ...]
    places: tuple[int, ...]
    bound: tuple[int, ...]
    words: tuple[tuple[str, ...], ...]

    def resting(self, fails: Sequence[bool]) -> tuple[str, ...]:
        """List the words that a stop rests on: those of the rules that fail, and of the bound ones."""
        told = zip(self.words, self.places, fails, strict=True)
        return tuple(dict.fromkeys(word for words, at, failed in told if failed or at in self.bound for word in words))


class _Failing(NamedTuple):
    """What of one offer's rules fails, the first of them, where it is told, and the words that the stop rests on.

    Offers of one `same` share their stop.
    """

    place: int
    same: bytes
    fails: tuple[bool, ...]
    first: Expression
    told: int
    words: tuple[str, ...]


class _Kept(Generic[T]):
    """What was made for some keys, until it is too much: then all of it is made anew.

    Words' values go into a key as they are written, which tells 1, 1.0 and True apart.
    """

    def __init__(self) -> None:
        self._made: dict[Any, T] = {}

    def get(self, key: Any, make: Callable[[], T]) -> T:
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= _MOST_KEPT:
                self._made.clear()
            found = self._made[key] = make()
        return found


class Rulebook:
    """The rules of some offers by one glossary's words; the order of the offers given doesn't matter to any answer."""

    def __init__(self, offers: Sequence[Offer], glossary: Glossary) -> None:
        self.offers = tuple(offers)
        self._glossary, self._flipper = glossary, Flipper(glossary)
        weights = [weight.when for offer in offers for weight in offer.context_weights]
        asked = dict.fromkeys([rule.when for offer in offers for rule in offer.asked] + weights)
        self._common = Sheet(when for when in asked if not _of_offer(when))
        self._own = Sheet(when for when in asked if _of_offer(when))
        where = self._told_where()
        self._rows = [self._row(offer, where) for offer in offers]
        always = len(self._common.rules) + len(KINDS) * len(self._own.rules)
        self._places = _padded([row.places for row in self._rows], always)
        self._signs = self._numbered()
        made = [[channel in offer.channels for channel in CHANNELS] for offer in offers]
        self._channels = np.array(made, dtype=bool).reshape(-1, len(CHANNELS))
        self._from = np.array([offer.valid_from.toordinal() if offer.valid_from else 0 for offer in offers])
        self._until = np.array([offer.valid_until.toordinal() if offer.valid_until else 10**7 for offer in offers])
        self._index = {offer.id: place for place, offer in enumerate(offers)}
        self._weights = {
            place: [(one, where[one.when, offer.kind]) for one in offer.context_weights]
            for place, offer in enumerate(offers)
            if offer.context_weights
        }
        self._stops, self._told_own = _Kept[Stop](), _Kept[list[bool | None]]()
        self._outside = lru_cache(maxsize=_MOST_PATTERNS)(self._elsewhere)
        patterns = min(_MOST_PATTERNS, 1 + _MOST_FAILING // (1 + len(offers)))
        self._stopped = lru_cache(maxsize=patterns)(self._every_failing)

    def tell(self, situation: Situation) -> "Told":
        """Tell every rule of every offer."""
        return Told(self, situation)

    def stop(self, failing: _Failing, told: bool, known: Mapping[str, Any], ranked: Words) -> Stop:
        """Say which of an offer's rules stops it first, and whether that rule could be told; kept by what is known."""
        values = list(map(known.get, failing.words))
        key = failing.place, failing.fails, told, ranked, repr(values)
        return self._stops.get(key, lambda: self._stop(failing, told, values, ranked))

    def failing(self, place: int, fails: Sequence[bool], same: bytes = b"") -> _Failing:
        """Say what of an offer's rules fails, given a row of the table of rules."""
        row = self._rows[place]
        fails = tuple(fails[: len(row.rules)])
        first = fails.index(True)
        return _Failing(place, same, fails, row.rules[first].when, row.places[first], row.resting(fails))

    def _answers(self, situation: Situation) -> list[bool | None]:
        """Tell the rules that speak of their offer, for every kind of offer without a past; kept by their words."""
        values = list(map(situation.known.get, self._own.words))
        return self._told_own.get(repr(values), lambda: self._of_kinds(values))

    def _of_kinds(self, values: Sequence[Any]) -> list[bool | None]:
        words = dict(zip(self._own.words, values, strict=True))
        return [told for kind in KINDS for told in self._own.tell({**words, "offer.kind": kind})]

    def _stop(self, failing: _Failing, told: bool, values: Sequence[Any], ranked: Words) -> Stop:
        row, first = self._rows[failing.place], failing.fails.index(True)
        words = {**dict(zip(failing.words, values, strict=True)), "offer.kind": self.offers[failing.place].kind}
        rule, layer = row.rules[first], row.layers[first]
        unknown = () if told else rule.when.unknown(words)
        # What the caller hasn't said of the conversation is the rule's own matter; the rest we don't know.
        of_customer = any(not word.startswith("context.") for word in unknown)
        not_known = sentences.RANKED if ranked.intersection(unknown) else sentences.NOT_KNOWN
        sentence = not_known if of_customer else rule.sentence
        find = partial(self._flip, row, failing.fails, words) if ranked.isdisjoint(unknown) else lambda: None
        return Stop(layer, sentence, rule.when.text, unknown, find)

    def _flip(self, row: _Row, fails: tuple[bool, ...], words: Mapping[str, Any]) -> Flip | None:
        failing = [rule.when for rule, failed in zip(row.rules, fails, strict=True) if failed]
        bound = [rule.when for rule, place in zip(row.rules, row.places, strict=True) if place in row.bound]
        return self._flipper.flip(bound, failing, words)

    def _elsewhere(self, today: date, channel: str) -> Mapping[int, Stop]:
        day = today.toordinal()
        late = {place: too_late(self.offers[place].valid_until) for place in np.flatnonzero(day > self._until).tolist()}
        soon = np.flatnonzero(day < self._from).tolist()
        early = {place: too_early(self.offers[place].valid_from, today) for place in soon}
        elsewhere = np.flatnonzero(~self._channels[:, CHANNELS.index(channel)]).tolist()
        return late | early | {place: outside(self.offers[place].channels, channel) for place in elsewhere}

    def _every_failing(self, told: bytes, anew: tuple[tuple[int, tuple[bool, ...]], ...]) -> list[_Failing]:
        """List the offers that rules stop, given which rules hold, and of some offers with a past which of theirs."""
        fails = ~np.take(np.frombuffer(told, dtype=bool), self._places)
        for place, holds in anew:
            fails[place, : len(holds)] = np.logical_not(holds)
        stopped = np.flatnonzero(fails.any(axis=1))
        signs, failing = self._signs[stopped], np.where(fails[stopped], self._places[stopped], -1)
        first = signs[np.arange(len(stopped)), fails[stopped].argmax(axis=1)]
        keys = np.hstack([failing, first[:, None], signs[:, -1:]]).astype(np.int32)
        return [
            self.failing(place, each, key.tobytes())
            for place, key, each in zip(stopped.tolist(), keys, fails[stopped].tolist(), strict=True)
        ]

    def _told_where(self) -> dict[tuple[Expression, str], int]:
        """Number what is told: each common rule, then each rule that speaks of its offer, by kind of offer."""
        common = [(when, kind) for when in self._common.rules for kind in KINDS]
        where = {key: place // len(KINDS) for place, key in enumerate(common)}
        own = [(when, kind) for kind in KINDS for when in self._own.rules]
        return where | {key: len(self._common.rules) + place for place, key in enumerate(own)}

    def _row(self, offer: Offer, where: Mapping[tuple[Expression, str], int]) -> _Row:
        layered = [(layer, rule) for layer in LAYERS for rule in offer.rules[layer]]
        places = tuple(where[rule.when, offer.kind] for _, rule in layered)
        turning = [self._flipper.turning(rule.when) for _, rule in layered]
        words = Counter(word for values in turning for word in values)
        bound = tuple(
            place for place, values in zip(places, turning, strict=True) if any(words[word] > 1 for word in values)
        )
        rested = ((*rule.when.words, *self._flipper.plain(rule.when).words) for _, rule in layered)
        layers, rules = (tuple(each) for each in zip(*layered, strict=True)) if layered else ((), ())
        return _Row(layers, rules, places, bound, tuple(rested))

    def _numbered(self) -> npt.NDArray[np.int32]:
        """Number what a stop says, column by column, and last the bound rules: of one number, offers share a stop."""
        numbers: dict[Any, int] = {}

        def number(of: Any) -> int:
            return numbers.setdefault(of, len(numbers))

        said = [
            [number((layer, *rule.sentence.values())) for layer, rule in zip(row.layers, row.rules, strict=True)]
            for row in self._rows
        ]
        bound = np.array([[number(row.bound)] for row in self._rows], dtype=np.int32).reshape(-1, 1)
        return np.hstack([_padded(said, -1), bound]).astype(np.int32)


def _padded(rows: Sequence[Sequence[int]], filling: int) -> npt.NDArray[np.int32]:
    """Lay rows of different lengths out as one table, with a column more than the longest."""
    padded = np.full((len(rows), max(map(len, rows), default=0) + 1), filling, dtype=np.int32)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded


class Told:
    """What the rules say in one situation."""

    def __init__(self, book: Rulebook, situation: Situation) -> None:
        self._book = book
        self._situation = situation
        self._answers = [*book._common.tell(situation.known), *book._answers(situation), True]
        self._past = {book._index[offer]: self._anew(offer) for offer in situation.offer_words if offer in book._index}
        self._stops: dict[Any, Stop] = {}

    def outside(self) -> Mapping[int, Stop]:
        """Find the offers that aren't made over this channel, not yet, or no longer."""
        return self._book._outside(self._situation.as_of.date(), self._situation.channel)

    def stops(self) -> Iterator[tuple[int, Stop]]:
        """Go through the offers that rules stop: which rule does first, and what would let it through all of them.

        Offers that the same rules stop, in the same words, share one stop.
        """
        anew = tuple((place, self._holds(place)) for place in self._past)
        for one in self._book._stopped(bytes([answer is True for answer in self._answers]), anew):
            key = one.place if one.place in self._past else one.same
            found = self._stops.get(key)
            if found is None:
                found = self._stops[key] = self._stop(one)
            yield one.place, found

    def stop(self, place: int) -> Stop | None:
        """Say which rule stops one offer first; None where none does."""
        holds = self._holds(place)
        return None if all(holds) else self._stop(self._book.failing(place, [not one for one in holds]))

    def weights(self) -> npt.NDArray[np.float64]:
        """Weigh every offer by what the conversation is about: its first weight that holds, else 1."""
        weights = np.ones(len(self._book.offers))
        for place in self._book._weights:
            weight = self._weight(place)
            if weight is not None:
                weights[place] = weight.weight
        return weights

    def weight_said(self, place: int) -> Mapping[str, str] | None:
        """Say why an offer is weighted by the conversation; None where it isn't."""
        weight = self._weight(place)
        return None if weight is None else weight.sentence

    def _weight(self, place: int) -> Weight | None:
        for weight, told in self._book._weights.get(place, ()):
            if self._answer(place, weight.when, told):
                return weight
        return None

    def _anew(self, offer: str) -> dict[Expression, bool | None]:
        """Tell again, for an offer with a past, the rules that speak of their offer."""
        place = self._book._index[offer]
        own = self._book._own
        words = self._situation.words(self._book.offers[place])
        return dict(zip(own.rules, own.tell(words), strict=True))

    def _holds(self, place: int) -> tuple[bool, ...]:
        """Tell which of an offer's rules hold."""
        row = self._book._rows[place]
        return tuple(
            self._answer(place, rule.when, told) is True for rule, told in zip(row.rules, row.places, strict=True)
        )

    def _answer(self, place: int, when: Expression, told: int) -> bool | None:
        """Tell what a rule of an offer says, given where it is told for offers without a past."""
        past = self._past.get(place)
        return past[when] if past and when in past else self._answers[told]

    def _stop(self, failing: _Failing) -> Stop:
        told, situation = self._answer(failing.place, failing.first, failing.told) is not None, self._situation
        # Of an offer without a past nothing more is known but its kind, which never changes.
        past = failing.place in self._past
        known = situation.words(self._book.offers[failing.place]) if past else situation.known
        return self._book.stop(failing, told, known, situation.ranked)


@lru_cache(maxsize=10_000)
def outside(channels: tuple[str, ...], channel: str) -> Stop:
    """Say that an offer isn't made over a channel, and over which it is."""
    flip = Flip(
        partial(sentences.say, sentences.FLIP_CHANNEL, channels=", ".join(channels)),
        (Change("channel", channel, channels[0]),),
    )
    return Stop(LAYERS[0], sentences.CHANNEL, "channels", find=lambda: flip)


def too_early(first: date | None, today: date) -> Stop:
    """Say that an offer isn't made yet, and from which day on it is."""
    flip = Flip(
        partial(sentences.say, sentences.FLIP_DAY, day=first), (Change("as_of", today.isoformat(), str(first)),)
    )
    return Stop(LAYERS[0], sentences.filled(sentences.NOT_YET, day=first), "valid_from", find=lambda: flip)


def too_late(last: date | None) -> Stop:
    """Say that an offer isn't made any more."""
    return Stop(LAYERS[0], sentences.filled(sentences.ENDED, day=last), "valid_until")


def _of_offer(when: Expression) -> bool:
    return any(word.startswith("offer.") for word in when.words)
