"""The business's own words: currency, languages, assumptions, tiers, and the terms by which it speaks of customers."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from features.events import CHANNELS, SERVICE
from features.expressions import Expression, Vocabulary, compile_rule
from features.sheets import Sheet, inlined
from features.tables import Table, read

LANGUAGES = ("en", "ko")
CHURNS = ("silence", "contract")
TIER_BAND = 0.1
LEVELS = ("product", "type", "category", "department")


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the business's own, such as "at risk": when it holds of a customer, and how it is said.

    `hash` is over what it means, the terms that it rests on included.
    """

    name: str
    when: Expression
    sentence: Mapping[str, str]
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What nobody has measured yet, stated so that every answer can say it was assumed.

    `margin_rate` is the margin in a unit of revenue; `retention_horizons` how many horizons of value a kept
    customer is worth; `attention_price` the cost, in currency, of asking for a customer's attention, by channel;
    `cost_to_serve` what a contact costs, by kind, wherever the source of one doesn't say; `credit_loss_rate` the share
    of what is lent that is lost, wherever the value model doesn't tell.
    """

    margin_rate: float
    retention_horizons: float
    attention_price: Mapping[str, float]
    cost_to_serve: Mapping[str, float]
    credit_loss_rate: float = 0.0


@dataclass(frozen=True)
class Glossary:
    """One business's words, read from `glossary.toml`.

    `tiers` maps each tier's name to its share of customers, best first; a customer keeps a tier while the value stays
    within `tier_band`, a share, of its floors; `churn` is a "silence" or the end of a
    "contract"; `horizon_days` and `active_days` override what training would choose; `items` says catalogue names
    aloud; `terms` stand in the order of their dependence.
    """

    currency: str
    region: str
    languages: tuple[str, ...]
    assumptions: Assumptions
    churn: str
    horizon_days: int | None
    active_days: int | None
    tiers: Mapping[str, float]
    tier_band: float
    next_level: str
    items: Mapping[str, Mapping[str, str]]
    terms: tuple[Term, ...]
    vocabulary: Vocabulary
    hash: str

    def tell(self, known: Mapping[str, Any]) -> dict[str, bool | None]:
        """Tell of every term whether it holds; None where that is unknown.

        `known` maps words such as `churn.risk` to values.
        """
        return dict(zip(self._names, self._sheet.tell(known), strict=True))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(term.name for term in self.terms)

    @cached_property
    def _sheet(self) -> Sheet:
        return Sheet(self.plain(term.when) for term in self.terms)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every word that a term rests on, terms left out."""
        terms = {term.name for term in self.terms}
        return tuple(dict.fromkeys(word for term in self.terms for word in term.when.words if word not in terms))

    def plain(self, rule: Expression) -> Expression:
        """Write a rule without terms: each is replaced by what it means."""
        return inlined(rule, {term.name: term.when for term in self.terms})

    def spoken(self, item: str, language: str) -> str:
        """Say a catalogue name aloud; in small letters where the glossary doesn't say how."""
        said = self.items.get(item)
        return said[language] if said else item.lower()


def load_glossary(path: Path, features: Collection[str]) -> Glossary:
    """Read `glossary.toml`; `features` are the names that terms may speak of.

    Raises PlaybookError when it doesn't hold together.
    """
    file = read(path)
    content_hash = fingerprint(file.content)
    languages = file.choices("languages", LANGUAGES)
    tiers = _tiers(file.table("tiers", required=True))
    vocabulary = _vocabulary(tuple(tiers), features)
    terms, vocabulary = _terms(file.table("terms"), languages, vocabulary)
    churn, horizon = file.table("churn"), file.table("horizon")
    next_purchase = file.table("next_purchase", required=True)
    glossary = Glossary(
        currency=file.text("currency"),
        region=file.text("region"),
        languages=languages,
        assumptions=_assumptions(file.table("assumptions", required=True)),
        churn=churn.choice("kind", CHURNS, "silence"),
        horizon_days=horizon.whole("days", 1, 365),
        active_days=horizon.whole("active_days", 1, 1095),
        tiers=tiers,
        tier_band=file.number("tier_band", 0.0, 0.9, TIER_BAND),
        next_level=next_purchase.choice("level", LEVELS),
        items=_items(file.table("items"), languages),
        terms=terms,
        vocabulary=vocabulary,
        hash=content_hash,
    )
    for table in (file, churn, horizon, next_purchase):
        table.end()
    return glossary


def fingerprint(content: Any) -> str:
    """Hash what a playbook file says, whatever its comments and layout.

    128 bits of BLAKE2b over canonical JSON, as hexadecimal digits.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    said = json.dumps(content, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def _vocabulary(tiers: tuple[str, ...], features: Collection[str]) -> Vocabulary:
    measured = dict.fromkeys((f"features.{name}" for name in features), 1.0)
    scored = {"churn.risk": 0.5, "churn.rank": 0.5, "churn.horizon_days": 28.0, "churn.active_days": 56.0}
    valued = dict.fromkeys((f"value.{name}" for name in ("expected", "low", "high", "rank")), 1.0)
    return Vocabulary({**scored, **valued, "value.tier": tiers, "channel": CHANNELS, **measured})


def _tiers(table: Table) -> dict[str, float]:
    tiers = {name: table.number(name, 0.0, 1.0) for name in table.names()}
    if abs(sum(tiers.values()) - 1.0) > 1e-9:
        table.refuse(f"expected shares that add up to 1, found {sum(tiers.values()):g}")
    return tiers


def _assumptions(table: Table) -> Assumptions:
    prices = table.table("attention_price", required=True)
    default, costs = prices.number("default", 0.0, 1e6), table.table("cost_to_serve")
    assumptions = Assumptions(
        margin_rate=table.number("margin_rate", 0.0, 1.0),
        retention_horizons=table.number("retention_horizons", 0.0, 120.0),
        attention_price={channel: prices.number(channel, 0.0, 1e6, default) for channel in CHANNELS},
        cost_to_serve={kind: costs.number(kind, 0.0, 1e6) for kind in SERVICE if kind in costs},
        credit_loss_rate=table.number("credit_loss_rate", 0.0, 1.0, 0.0),
    )
    prices.end()
    costs.end()
    table.end()
    return assumptions


def _items(table: Table, languages: tuple[str, ...]) -> dict[str, dict[str, str]]:
    items = {}
    for name in table.names():
        items[name] = table.said(name, languages)
    return items


def _terms(table: Table, languages: tuple[str, ...], vocabulary: Vocabulary) -> tuple[tuple[Term, ...], Vocabulary]:
    if clash := sorted(set(table.names()) & set(vocabulary.words)):
        table.refuse(
            f"expected names of the business's own, found {clash[0]!r}, which is a known word; rename the term"
        )
    vocabulary = vocabulary.plus(dict.fromkeys(table.names(), True))
    terms = {name: _term(table.table(name), name, languages, vocabulary) for name in table.names()}
    wanted = {name: [word for word in term.when.words if word in terms] for name, term in terms.items()}
    try:
        order = tuple(TopologicalSorter(wanted).static_order())
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        table.refuse(f"expected terms that rest on other terms without a circle, found {circle}")
    hashes: dict[str, str] = {}
    for name in order:
        beneath = [hashes[word] for word in terms[name].when.words if word in terms]
        hashes[name] = fingerprint([name, terms[name].when.text, beneath])
    return tuple(replace(terms[name], hash=hashes[name]) for name in order), vocabulary


def _term(table: Table, name: str, languages: tuple[str, ...], vocabulary: Vocabulary) -> Term:
    if not name.isidentifier():
        table.refuse(f"expected a name of letters, digits and _, found {name!r}")
    term = Term(name, compile_rule(table.text("when"), vocabulary, table.place), table.sentence(languages))
    table.end()
    return term
