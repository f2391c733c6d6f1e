"""What went before with many customers at once: earlier offers, wishes about being contacted, and the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from features.clock import DAY
from features.decisions import Contact
from features.identity import components, standing
from features.known import Known
from serving.crowd import Coded, Codes, Column
from serving.offers import OFFER_DAYS
from serving.situation import EVERY_CHANNEL, STATUSES, Past, Wish

_KEY = ("reference", "kind", "product", "occurred_at", "recorded_at")


@dataclass(frozen=True)
class Encounters:
    """Pasts and wishes in the order they occurred, and contacts that count, each with its customer's place."""

    pasts: tuple[tuple[int, Past], ...] = ()
    wishes: tuple[tuple[int, Wish], ...] = ()
    contacts: tuple[tuple[int, Contact], ...] = ()

    @cached_property
    def of_offer(self) -> dict[str, dict[int, list[Past]]]:
        """Each offer's pasts, by the customer's place."""
        found: dict[str, dict[int, list[Past]]] = {}
        for place, past in self.pasts:
            found.setdefault(past.offer, {}).setdefault(place, []).append(past)
        return found

    def words(self, offer: str, now: int) -> tuple[Codes, dict[str, Column]]:
        """Give the places of those who have a past with an offer, and the columns of the words about it."""
        told = self.of_offer.get(offer, {})
        columns: dict[str, Column] = {
            f"offer.{word}": np.array([_days(pasts, word.removeprefix("days_since_"), now) for pasts in told.values()])
            for word in OFFER_DAYS
        }
        columns["offer.last_reason"] = Coded.of([_last_reason(pasts) for pasts in told.values()])
        return np.array(list(told), dtype=np.int64), columns

    def consents(self, purpose: str, channel: str) -> dict[int, bool]:
        """Tell each one's newest wish about a purpose over a channel; of a yes and a no at one moment, the no."""
        newest: dict[int, tuple[int, bool]] = {}
        for place, wish in self.wishes:
            if wish.purpose in ("", purpose) and wish.channel in (EVERY_CHANNEL, channel):
                told = (wish.occurred_at, not wish.yes)
                newest[place] = max(newest.get(place, told), told)
        return {place: not no for place, (_, no) in newest.items()}


@dataclass(frozen=True)
class Record:
    """What went before with everybody of a part of the base, ready to be looked up for some of them."""

    events: pl.DataFrame
    contacts: Mapping[str, tuple[Contact, ...]]

    @classmethod
    def of(cls, known: Known, reasons: pl.DataFrame, contacts: Iterable[Contact]) -> "Record":
        """Read the record out of what is known; `reasons` are those told of offers, which batch doesn't read."""
        kind = pl.col("kind")
        told = known.events.filter(kind.str.starts_with("offer_") | (kind == "consent"))
        told = told.join(reasons.unique(_KEY, keep="last"), on=_KEY, how="left", maintain_order="left")
        named, held = components(standing(known.links)), dict[str, list[Contact]]()
        for one in contacts:
            held.setdefault(named.get(one.reference, one.reference), []).append(one)
        ordered = told.sort("occurred_at", "recorded_at", maintain_order=True)
        return cls(ordered, {customer: tuple(some) for customer, some in held.items()})

    def encounters(self, customers: tuple[str, ...]) -> Encounters:
        """Look some customers up."""
        places = {customer: place for place, customer in enumerate(customers)}
        mine = self.events.filter(pl.col("customer").is_in(pl.Series(customers).implode()))
        pasts, wishes = list[tuple[int, Past]](), list[tuple[int, Wish]]()
        columns = mine.select("customer", "kind", "product", "channel", "quantity", "occurred_at", "reason")
        for customer, kind, product, channel, quantity, moment, reason in columns.iter_rows():
            if kind == "consent":
                wishes.append((places[customer], Wish(product, channel, quantity > 0, moment)))
            else:
                past = Past(product, kind.removeprefix("offer_"), channel, moment, reason)
                pasts.append((places[customer], past))
        held = ((places[one], contact) for one in customers for contact in self.contacts.get(one, ()))
        return Encounters(tuple(pasts), tuple(wishes), tuple(held))


def reasons_frame(rows: Iterable[tuple[Any, ...]]) -> pl.DataFrame:
    """Lay out reasons that were told of offers: reference, kind, product, both moments, and the reason."""
    whole = dict.fromkeys(("occurred_at", "recorded_at"), pl.Int64)
    texts = dict.fromkeys(("reference", "kind", "product"), pl.String)
    return pl.DataFrame(list(rows), schema=texts | whole | {"reason": pl.String}, orient="row")


def _days(pasts: list[Past], word: str, now: int) -> float:
    moments = [past.occurred_at for past in pasts if past.status in STATUSES[word]]
    return (now - moments[-1]) / DAY if moments else float("nan")


def _last_reason(pasts: list[Past]) -> str | None:
    declined = [past.reason for past in pasts if past.status == "declined"]
    return declined[-1] if declined else None
