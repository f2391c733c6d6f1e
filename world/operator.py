"""The operator as the simulation has it: what it sells and offers, where, when; named as in `playbook/telecom`."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.feature import Array

PERIOD_DAYS = 28
TRAITS = ("travel", "usage", "home", "devices", "family", "play")
PRODUCTS_A_TYPE = 4
DISTRICTS = 40
# Currency that a contact of each kind costs, as the glossary has it; and what a campaign's message does.
COSTS = {"contact": 3_500.0, "inquiry": 2_500.0, "complaint": 9_000.0, "visit": 48_000.0, "campaign": 30.0}
PLANS = (29_000.0, 39_000.0, 49_000.0, 69_000.0, 89_000.0)
PLAN_MARGIN, USAGE_MARGIN = 0.5, 0.45
BOUND_DISCOUNT, GIVEN_DISCOUNT = 0.15, 0.20


@dataclass(frozen=True)
class Item:
    """A type of products: how often it is bought in 28 days on average, and what moves that.

    `price` and `margin` are in currency, `loads` weighs the traits in `TRAITS`, `keeps` is the share not given back,
    `lasts` how much of a purchase's sating is left a period later, `peak` the month of most sales (0: none).
    """

    type: str
    category: str
    rate: float
    price: float
    margin: float
    loads: tuple[float, float, float, float, float, float] = (0, 0, 0, 0, 0, 0)
    keeps: float = 1.0
    lasts: float = 0.0
    peak: int = 0
    drifts: float = 0.0


ITEMS = (
    Item("ROAMING PACK", "mobile", 0.050, 22_000, 14_000, (1.6, 0.2, 0, 0, 0, 0), peak=8, drifts=-0.6),
    Item("DATA PACK", "mobile", 0.420, 9_900, 5_200, (0, 1.1, 0, 0.2, 0, 0.4)),
    Item("BROADBAND GIGA", "home", 0.012, 120_000, 78_000, (0, 0.4, 0.9, 0, 0.3, 0), 0.88, 0.99, 3),
    Item("TV CINEMA", "home", 0.080, 33_000, 21_000, (0, 0, 0.7, 0, 0.2, 0.8), 0.90, 0.60, 12, 0.8),
    Item("SECOND SIM", "mobile", 0.014, 55_000, 36_000, (0.2, 0, 0, 0, 1.2, 0), 1.0, 0.97),
    Item("HANDSET", "devices", 0.020, 900_000, 145_000, (0, 0.3, 0, 0.9, 0, 0), 0.97, 0.93, 3),
    Item("HOME SECURITY", "home", 0.010, 60_000, 30_000, (0.2, 0, 1.0, 0, 0.4, 0), 0.85, 0.99),
    Item("MUSIC", "content", 0.360, 8_900, 2_100, (0, 0.3, 0, 0, 0, 0.9)),
    Item("GAMES", "content", 0.300, 12_000, 3_000, (0, 0.5, 0, 0.4, -0.2, 1.1)),
    Item("MOVIES", "content", 0.280, 6_500, 1_900, (0, 0, 0.5, 0, 0.2, 0.8), drifts=0.8),
    Item("SPORTS", "content", 0.200, 9_900, 2_600, (0, 0, 0.2, 0, 0, 0.9), peak=6, drifts=0.4),
    Item("BOOKS", "content", 0.140, 7_000, 1_700, (0.3, 0, 0, 0, 0.3, 0.2)),
    Item("CLOUD STORAGE", "mobile", 0.180, 3_300, 2_000, (0, 0.7, 0, 0.6, 0, 0)),
    Item("INTERNATIONAL CALLS", "mobile", 0.120, 11_000, 4_500, (1.1, 0, 0, 0, 0.2, 0), peak=1, drifts=-0.4),
    Item("DAY PASS", "mobile", 0.240, 3_000, 1_800, (0.6, 0.6, 0, 0, 0, 0.3), peak=7),
    Item("INSURANCE", "devices", 0.020, 5_500, 2_700, (0.2, 0, 0.3, 0.7, 0.3, 0), 0.95, 0.90),
    Item("CASES", "devices", 0.100, 19_000, 7_500, (0, 0, 0, 1.0, 0.2, 0), 0.94),
    Item("CHARGERS", "devices", 0.070, 25_000, 8_000, (0.3, 0, 0, 0.8, 0.2, 0), 0.95),
    Item("HEADPHONES", "devices", 0.025, 89_000, 19_000, (0, 0.2, 0, 0.8, 0, 0.5), 0.93, 0.70, 12),
    Item("WATCHES", "devices", 0.010, 290_000, 42_000, (0, 0.2, 0, 1.0, 0, 0), 0.92, 0.95, 12),
    Item("KIDS PHONE", "mobile", 0.010, 40_000, 12_000, (0, 0, 0.3, 0, 1.3, 0), 0.96, 0.95, 3),
    Item("WIFI EXTENDER", "home", 0.018, 45_000, 13_000, (0, 0.4, 0.8, 0.2, 0.2, 0), 0.92, 0.85),
    Item("SMART HOME", "home", 0.020, 59_000, 15_000, (0, 0, 1.0, 0.5, 0.2, 0), 0.93, 0.50),
    Item("COMICS", "content", 0.170, 2_500, 900, (0, 0.2, 0, 0, -0.2, 1.2)),
    Item("NOVELS", "content", 0.120, 3_000, 1_000, (0.2, 0, 0.2, 0, 0, 0.6)),
    Item("ANIMATION", "content", 0.110, 4_500, 1_500, (0, 0.2, 0, 0.2, 0.6, 0.9)),
    Item("DRAMA", "content", 0.150, 5_500, 1_700, (0, 0, 0.6, 0, 0.2, 0.5), drifts=0.6),
    Item("DOCUMENTARIES", "content", 0.040, 4_500, 1_500, (0.5, 0, 0.4, 0, 0, 0)),
    Item("FITNESS", "content", 0.060, 9_900, 3_900, (0.4, 0, 0, 0.4, -0.2, 0), peak=1),
    Item("LANGUAGES", "content", 0.050, 14_000, 5_600, (0.8, 0, 0, 0, 0.3, 0), peak=2),
    Item("STICKERS", "content", 0.160, 1_500, 800, (0, 0.4, 0, 0, 0.2, 0.8)),
    Item("RINGTONES", "content", 0.060, 1_200, 700, (0, 0, 0, 0.5, 0, 0.3)),
    Item("PARKING", "mobile", 0.130, 4_000, 600, (0.3, 0, 0, 0.2, 0.6, 0)),
    Item("MAPS", "mobile", 0.050, 2_200, 1_300, (1.0, 0, 0, 0.2, 0, 0), peak=5),
    Item("PHOTO PRINTS", "content", 0.050, 8_000, 2_400, (0.6, 0, 0.2, 0, 0.8, 0), peak=9),
    Item("KIDS TV", "home", 0.090, 5_000, 1_800, (0, 0, 0.5, 0, 1.2, 0)),
    Item("NEWS", "content", 0.050, 6_000, 2_100, (0.3, 0.3, 0.3, 0, 0, -0.3)),
    Item("SECURITY APP", "mobile", 0.050, 2_900, 1_500, (0, 0.2, 0, 0.6, 0.3, 0)),
    Item("GIFT CARDS", "content", 0.080, 20_000, 1_000, (0, 0, 0, 0.2, 0.4, 0.5), peak=12),
    Item("NUMBER CHANGE", "mobile", 0.008, 5_000, 4_000),
)  # fmt: skip
TYPES = tuple(item.type for item in ITEMS)
SEASONED = tuple(place for place, item in enumerate(ITEMS) if item.peak)


@dataclass(frozen=True)
class Offer:
    """An offer's true ways; ids, kinds and items are those of `playbook/telecom/offers.toml`.

    `strength` is what it does at best, on the logarithm of the odds of buying (of `item`) or of leaving (where there
    is none); `wakes` is what making it adds to those of leaving, where sleeping dogs lie. `says_yes` is the logarithm
    of the odds that an offer to stay is accepted. Money is in currency.
    """

    id: str
    strength: float
    wakes: float
    incentive: float
    item: str = ""
    says_yes: float = 0.0
    credit: float = 0.0
    channel: str = "phone"

    @property
    def sells(self) -> bool:
        """Whether it sells an item; else it is a reason to stay, or a service."""
        return self.item != ""


OFFERS = (
    Offer("roaming_pass", 1.5, 0.10, 0, "ROAMING PACK", channel="app"),
    Offer("data_pack", 1.1, 0.10, 500, "DATA PACK", channel="app"),
    Offer("giga_broadband", 1.7, 0.30, 20_000, "BROADBAND GIGA"),
    Offer("tv_cinema", 1.4, 0.20, 4_000, "TV CINEMA", channel="app"),
    Offer("second_sim", 1.6, 0.25, 6_000, "SECOND SIM"),
    Offer("handset_instalments", 1.3, 0.30, 12_000, "HANDSET", credit=900_000, channel="store"),
    Offer("home_security", 1.6, 0.30, 8_000, "HOME SECURITY"),
    Offer("bill_discount", 2.4, 1.10, 30_000, says_yes=0.3),
    Offer("speed_upgrade", 1.4, 0.50, 6_000, says_yes=0.5, channel="chat"),
    Offer("handset_upgrade", 2.2, 0.80, 50_000, says_yes=-0.6, channel="store"),
    Offer("travel_bonus", 1.6, 0.30, 9_000, says_yes=0.6, channel="app"),
    Offer("outage_credit", 0.6, 0.10, 12_000, says_yes=2.8),
    Offer("complaint_callback", 1.6, 0.20, 7_000, says_yes=0.8),
    Offer("engineer_first", 1.5, 0.20, 15_000, says_yes=1.2),
)
IDS = tuple(offer.id for offer in OFFERS)
# For each offer, where its item stands among `TYPES`; -1 where it sells none.
ITEM_OF = np.array([TYPES.index(offer.item) if offer.sells else -1 for offer in OFFERS])
SELLS = ITEM_OF >= 0
# Reason codes of `playbook/telecom/reasons.toml`, and the sort that each is counted as.
REASONS = {
    "too_expensive": "price", "better_elsewhere": "rival", "unhappy": "service", "has_enough": "need",
    "bound_by_contract": "timing", "no_reason": "other",
}  # fmt: skip


def column(name: str) -> Array:
    """One field of every type of products."""
    return np.array([getattr(item, name) for item in ITEMS], dtype=np.float64)


def catalogue() -> pl.DataFrame:
    """List the products: four of each type, and charges, which have no type since nobody chooses them."""
    rows = [
        {"product": product(place, number), "name": f"{item.type.capitalize()} {number + 1}", "type": item.type}
        | {"category": item.category, "department": "telecom"}
        for place, item in enumerate(ITEMS)
        for number in range(PRODUCTS_A_TYPE)
    ]
    charges = [
        {"product": name, "name": name, "type": "", "category": "charges", "department": "telecom"} for name in CHARGES
    ]
    return pl.DataFrame(rows + charges)


def product(place: int, number: int) -> str:
    """Name one of a type's products."""
    return f"{TYPES[place].lower().replace(' ', '_')}_{number + 1}"


CHARGES = ("plan", "usage")
