"""All features, by subject; a row's order is the order here."""

from features.definitions import (
    attributes,
    breadth,
    contacts,
    discounts,
    frequency,
    gaps,
    money,
    offers,
    recency,
    service,
    timing,
    trends,
)
from features.feature import Feature

SUBJECTS = {
    "recency": recency.FEATURES,
    "frequency": frequency.FEATURES,
    "money": money.FEATURES,
    "gaps": gaps.FEATURES,
    "timing": timing.FEATURES,
    "trends": trends.FEATURES,
    "breadth": breadth.FEATURES,
    "discounts": discounts.FEATURES,
    "contacts": contacts.FEATURES,
    "service": service.FEATURES,
    "offers": offers.FEATURES,
    "attributes": attributes.FEATURES,
}
FEATURES: tuple[Feature, ...] = tuple(feature for subject in SUBJECTS.values() for feature in subject)
NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
BY_NAME: dict[str, Feature] = {feature.name: feature for feature in FEATURES}
