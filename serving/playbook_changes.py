"""What differs between two playbooks, in the business's words."""

from collections.abc import Iterator, Mapping
from typing import Any

from serving.offers import Offer
from serving.playbook import Playbook

_TRAINED = ("churn", "horizon_days", "active_days", "tiers", "tier_band", "next_level")


def changes(before: Playbook, after: Playbook) -> list[dict[str, Any]]:
    """List what was added, removed or changed: of offers field by field, of terms, caps and assumptions."""
    found = list(_of("offer", _offers(before), _offers(after)))
    found += _of("term", _terms(before), _terms(after))
    caps = ({one.id: _fields(one) for one in playbook.contact.caps} for playbook in (before, after))
    found += _of("cap", *caps)
    policies = ({"suppressions and consents": _contact(one)} for one in (before, after))
    found += _of("contact", *policies)
    found += _of("assumptions", *({"assumptions": _fields(one.glossary.assumptions)} for one in (before, after)))
    return found


def untrained(before: Playbook, after: Playbook) -> list[str]:
    """Name what the new glossary says that only training takes up: the champion still goes by the old."""
    return [name for name in _TRAINED if getattr(before.glossary, name) != getattr(after.glossary, name)]


def _of(
    sort: str, old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys([*old, *new]):
        if name not in old or name not in new:
            yield {"sort": sort, "name": name, "change": "added" if name in new else "removed", "fields": {}}
            continue
        fields = {key: [old[name][key], new[name][key]] for key in old[name] if old[name][key] != new[name][key]}
        if fields:
            yield {"sort": sort, "name": name, "change": "changed", "fields": fields}


def _offers(playbook: Playbook) -> dict[str, dict[str, Any]]:
    return {offer.id: _offer(offer) for offer in playbook.offers}


def _offer(offer: Offer) -> dict[str, Any]:
    told = _fields(offer)
    layers = {layer: [rule.when.text for rule in rules] for layer, rules in offer.rules.items()}
    weights = [[weight.when.text, weight.weight] for weight in offer.context_weights]
    return told | {
        "prior": _fields(offer.prior),
        "lever": _fields(offer.lever),
        "context_weights": weights,
        "rules": layers,
    }


def _terms(playbook: Playbook) -> dict[str, dict[str, Any]]:
    # The hash is over the terms beneath, too.
    return {term.name: {"when": term.when.text, "hash": term.hash} for term in playbook.glossary.terms}


def _contact(playbook: Playbook) -> dict[str, Any]:
    policy = playbook.contact
    suppressions = [_fields(one) for one in policy.suppressions]
    attention = _fields(policy.attention) if policy.attention else None
    purposes = {name: _fields(one) for name, one in policy.purposes.items()}
    return {
        "suppressions": suppressions,
        "attention": attention,
        "purposes": purposes,
        "hold_minutes": policy.hold_minutes,
    }


def _fields(of: Any) -> dict[str, Any]:
    return {name: getattr(of, name) for name in of.__dataclass_fields__}
