"""The offers that may be made, as the people who sell wrote them in `offers.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from features.events import CHANNELS
from features.expressions import Expression, Vocabulary, compile_rule
from features.glossary import Glossary, fingerprint
from features.tables import Table, read
from serving.reasons import ReasonCodes

KINDS = ("product", "retention", "service")
LAYERS = ("eligibility", "applicability", "suitability")
NEXT = "next"
LOWEST_WEIGHT, HIGHEST_WEIGHT = 0.5, 2.0
MOST_MONEY = 1e8
OFFER_DAYS = ("days_since_presented", "days_since_accepted", "days_since_declined")
PURPOSES = {"product": "marketing", "retention": "marketing", "service": "service"}


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that must hold, and the sentence that says why an offer was withheld when it doesn't."""

    when: Expression
    sentence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight for what the conversation is about: how much better or worse an offer suits it."""

    when: Expression
    weight: float
    sentence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lever:
    """The business's own thumb on the scale, with its reason and the last day on which it counts."""

    value: float = 1.0
    reason: str = ""
    expires: date | None = None

    def at(self, day: date) -> float:
        """Tell the lever's value on a day; once expired it is 1."""
        return self.value if self.expires is not None and day <= self.expires else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What an offer is believed to do until outcomes say it.

    `odds_ratio`: by what a product offer multiplies the odds that the item is bought. Shares from 0 to 1: `accept`, of
    those who take up a retention or service offer; `churn_reduction`, by how much their risk of leaving then falls;
    `keep`, of what was taken that isn't given back.
    """

    odds_ratio: float = 1.0
    accept: float = 0.0
    churn_reduction: float = 0.0
    keep: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One offer: what it gives, to whom it may be made, what it costs, and what it is believed to do.

    `item` is a catalogue name, `NEXT` for the customer's likeliest next purchase, or empty; `margin` is the
    currency earned when the item is bought, `incentive_cost` the currency paid each time the offer is taken up,
    `credit` the currency lent to whoever takes it up. `purpose` is what the customer's consent is asked for, `group`
    what caps may count together. What is `owed` is made whenever its rules let it, whatever it costs.
    `title` and `script` may say `{item}`. All rules of all layers must hold.
    """

    id: str
    kind: str
    owner: str
    group: str
    purpose: str
    owed: bool
    credit: float
    title: Mapping[str, str]
    script: Mapping[str, str]
    item: str
    margin: float
    incentive_cost: float
    channels: tuple[str, ...]
    valid_from: date | None
    valid_until: date | None
    lever: Lever
    prior: Prior
    rules: Mapping[str, tuple[Rule, ...]]
    context_weights: tuple[Weight, ...]

    @property
    def asked(self) -> tuple[Rule, ...]:
        """All rules, layer by layer, in the order in which they are asked."""
        return tuple(rule for layer in LAYERS for rule in self.rules[layer])


def load_offers(path: Path, glossary: Glossary, reasons: ReasonCodes) -> tuple[tuple[Offer, ...], str]:
    """Read `offers.toml` by a glossary's words and the reason codes; returns the offers, and the hash of the file.

    Raises PlaybookError when it doesn't hold together.
    """
    file = read(path)
    content_hash = fingerprint(file.content)
    days = dict.fromkeys((f"offer.{word}" for word in OFFER_DAYS), 7.0)
    of_offer: dict[str, float | bool | tuple[str, ...]] = {
        "offer.kind": KINDS,
        "offer.last_reason": tuple(reasons.codes),
        **days,
    }
    reader = _Reader(glossary.languages, glossary.vocabulary.plus(of_offer))
    every = file.table("every_offer")
    shared = {layer: reader.rules(every, layer) for layer in LAYERS}
    every.end()
    offers: dict[str, Offer] = {}
    for table in file.tables("offer"):
        offer = reader.offer(table, shared)
        if offer.id in offers:
            table.refuse(f"expected an id of its own, found {offer.id!r} a second time; rename one")
        offers[offer.id] = offer
    file.end()
    if not offers:
        file.refuse("expected at least one [[offer]], found none")
    return tuple(offers.values()), content_hash


@dataclass(frozen=True)
class _Reader:
    languages: tuple[str, ...]
    vocabulary: Vocabulary

    def offer(self, table: Table, shared: Mapping[str, tuple[Rule, ...]]) -> Offer:
        name = table.text("id")
        if not name.isidentifier() or not name.isascii():
            table.refuse(f"expected id to be letters, digits and _, found {name!r}")
        table.place = f"{table.place.partition(',')[0]}, offer {name}"
        kind = table.choice("kind", KINDS)
        valid_from, valid_until = table.day("valid_from"), table.day("valid_until")
        if valid_from and valid_until and valid_from > valid_until:
            table.refuse(f"expected valid_from before valid_until, found {valid_from} and {valid_until}")
        offer = Offer(
            id=name,
            kind=kind,
            owner=table.text("owner"),
            group=table.text("group", ""),
            purpose=table.text("purpose", PURPOSES[kind]),
            owed=table.flag("owed"),
            credit=table.number("credit", 0.0, MOST_MONEY, 0.0),
            title=self._script(table, "title", kind),
            script=self._script(table, "script", kind),
            item=table.text("item") if kind == "product" else "",
            margin=table.number("margin", 0.0, MOST_MONEY) if kind == "product" else 0.0,
            incentive_cost=table.number("incentive_cost", 0.0, MOST_MONEY),
            channels=table.choices("channels", CHANNELS),
            valid_from=valid_from,
            valid_until=valid_until,
            lever=_lever(table.table("lever")) if "lever" in table else Lever(),
            prior=_prior(table, kind),
            rules={layer: shared[layer] + self.rules(table, layer) for layer in LAYERS},
            context_weights=tuple(self._weight(weight) for weight in table.tables("context_weights")),
        )
        table.end()
        return offer

    def rules(self, table: Table, layer: str) -> tuple[Rule, ...]:
        return tuple(self._rule(rule) for rule in table.tables(layer))

    def _rule(self, table: Table) -> Rule:
        rule = Rule(compile_rule(table.text("when"), self.vocabulary, table.place), table.sentence(self.languages))
        table.end()
        return rule

    def _weight(self, table: Table) -> Weight:
        when = compile_rule(table.text("when"), self.vocabulary, table.place)
        weight = table.number("weight", LOWEST_WEIGHT, HIGHEST_WEIGHT)
        found = Weight(when, weight, table.sentence(self.languages))
        table.end()
        return found

    def _script(self, table: Table, name: str, kind: str) -> dict[str, str]:
        said = table.said(name, self.languages)
        for text in said.values():
            rest = text.replace("{item}", "") if kind == "product" else text
            if "{" in rest or "}" in rest:
                table.table(name).refuse(f"expected no braces but {{item}} in a product offer, found {text!r}")
        return said


def _lever(table: Table) -> Lever:
    value = table.number("value", LOWEST_WEIGHT, HIGHEST_WEIGHT)
    lever = Lever(value, table.text("reason"), table.day("expires"))
    if lever.expires is None:
        table.refuse("expected expires, the last day on which the lever counts, found none; add it")
    table.end()
    return lever


def _prior(table: Table, kind: str) -> Prior:
    keep = table.number("prior_keep", 0.0, 1.0, 1.0)
    if kind == "product":
        return Prior(odds_ratio=table.number("prior_odds_ratio", 1.0, 10.0), keep=keep)
    return Prior(
        accept=table.number("prior_accept", 0.0, 1.0),
        churn_reduction=table.number("prior_churn_reduction", 0.0, 1.0),
        keep=keep,
    )
