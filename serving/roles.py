"""Which role may call which route, and which fields of an answer it sees: the one table of both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from serving import sentences


class Role(StrEnum):
    """What the holder of a key is to Holdfast."""

    AGENT = "agent"
    """An agent's desktop: one customer at a time, and nothing of what anybody brings in."""
    FIELD = "field"
    """Field service: the order of visits."""
    INGEST = "ingest"
    """Another system that tells what happened, and reads nothing."""
    ANALYST = "analyst"
    """Whoever may read everything, profit included, and tells nothing."""
    ADMIN = "admin"
    """Whoever runs Holdfast: everything."""


EVERYBODY = frozenset(Role)
# What needs no key: whether the service lives tells nothing of anybody.
HEALTH = "health"
# Pages, and what Prometheus reads: from this machine without a key.
NEAR = "near"


@dataclass(frozen=True, slots=True)
class Route:
    """A route: its name in logs, who may call it, whether it takes a list of many, and who else may come in."""

    name: str
    may: frozenset[Role]
    many: bool = False
    without_key: str = ""
    page: bool = False


def _route(name: str, *roles: Role, many: bool = False) -> Route:
    return Route(name, frozenset((*roles, Role.ADMIN)), many)


_HEALTH = Route("health", EVERYBODY, without_key=HEALTH)
_PAGE = Route("page", EVERYBODY, without_key=NEAR, page=True)
_ASSETS = "/static_content/"
# What isn't named here isn't there, for anybody.
# By path: the method, and the route.
ROUTES: Mapping[str, tuple[str, Route]] = {
    "/v1/decisions": ("POST", _route("decisions", Role.AGENT, Role.ANALYST)),
    "/v1/outcomes": ("POST", _route("outcomes", Role.AGENT, Role.INGEST)),
    "/v1/interactions": ("POST", _route("interactions", Role.INGEST, many=True)),
    "/v1/customers/lookup": ("POST", _route("lookup", Role.AGENT, Role.FIELD, Role.ANALYST)),
    "/v1/route": ("POST", _route("route", Role.AGENT, Role.ANALYST)),
    "/v1/visits/prioritise": ("POST", _route("visits", Role.FIELD, Role.ANALYST, many=True)),
    "/metrics": ("GET", Route("metrics", frozenset((Role.ANALYST, Role.ADMIN)), without_key=NEAR)),
    "/": ("GET", _PAGE),
    "/docs.json": ("GET", Route("document", EVERYBODY, without_key=NEAR)),
    **dict.fromkeys(("/healthz", "/livez", "/readyz"), ("GET", _HEALTH)),
}


def route_at(path: str) -> tuple[str, Route] | None:
    """Find the method and the route at a path; None where there is none."""
    return ("GET", _PAGE) if path.startswith(_ASSETS) else ROUTES.get(path)


View = Mapping[str, Any] | Callable[[Any], Any]


def view_of(route: str, role: str) -> View | None:
    """Find which fields of a route's answer a role sees; None where it is all of them."""
    return _VIEWS.get((route, role))


def shown(view: View, answer: bytes) -> bytes:
    """Keep of an answer what is seen; of a field that nobody thought of, nothing."""
    return orjson.dumps(_kept(view, orjson.loads(answer)))


def _kept(view: View | None, value: Any) -> Any:
    if view is None or value is None:
        return value
    if isinstance(value, list):
        return [_kept(view, one) for one in value]
    if callable(view):
        return view(value)
    return {name: _kept(inner, value[name]) for name, inner in view.items() if name in value}


def _whole(*names: str) -> dict[str, None]:
    return dict.fromkeys(names)


_BY_MONEY = "arbitration"
_MONEY = ("value.expected", "value.low", "value.high", "value.rank")


def _tells_profit(word: str) -> bool:
    return word in _MONEY or word.removeprefix("features.").startswith("margin")


def _reasons(keep: View) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def without_profit(reasons: dict[str, Any]) -> dict[str, Any]:
        return {
            score: [_kept(keep, one) for one in told if not _tells_profit(one["feature"])]
            for score, told in reasons.items()
        }

    return without_profit


def _agents_decision(body: dict[str, Any]) -> dict[str, Any]:
    """Tell of a decision what an agent sees: what chance kept back is told as what doesn't pay is.

    Else it could be told whom chance left alone: by who gets fewer offers than were asked for while others run up.
    """
    offers, language = body.get("offers", ()), body.get("language", "en")
    back, told = [*body.get("held_out", ())], dict(body)
    if len(offers) < body.get("requested_offers", 0) or all(one["owed"] for one in offers):
        back += told.pop("runners_up", ())
        told["runners_up"] = []
    if not offers and not body.get("degraded"):
        told["silence"] = sentences.NO_OFFER[language]
    unsaid: dict[str, Any] = {"layer": _BY_MONEY, "reason": sentences.NOT_NOW[language], "unknown": [], "flip": None}
    # What was weighed has passed all rules; higher offers that were held out may have taken its room.
    whole = body.get("withheld", ())
    withheld = [one | unsaid if one["layer"] == _BY_MONEY or one.get("breakdown") else one for one in whole]
    withheld += [{"offer": one["offer"]} | unsaid for one in back]
    told["withheld"] = sorted(withheld, key=lambda one: str(one["offer"]))
    return dict(_kept(AGENT_DECISION, told))


def _withheld(offer: dict[str, Any]) -> dict[str, Any]:
    """Say why an offer isn't made, and what would flip it unless that is money."""
    flip = offer.get("flip") if offer.get("layer") in ("eligibility", "applicability", "contact") else None
    if flip is not None and any(_tells_profit(change["word"]) for change in flip["changes"]):
        flip = None
    return {name: offer[name] for name in ("offer", "layer", "reason", "unknown") if name in offer} | {"flip": flip}


# An agent hears what to say, to whom, and how likely they leave; not what anybody is worth or an offer brings, nor what
# of the experiment would tell whom chance left alone.
AGENT_DECISION: Mapping[str, Any] = {
    **_whole(
        "decision_id", "customer", "reference", "found", "note", "as_of", "channel", "outbound", "language", "context",
        "requested_offers", "tier", "terms", "next_purchases", "new_purchases", "silence", "ages", "effects", "bundle",
        "playbook", "degraded",
    ),
    "scores": _whole(
        "horizon_days", "active_rule", "active_days", "learned_until", "tested_from", "churn_risk", "churn_rank",
        "ranks_only",
    ),
    "offers": _whole("offer", "item", "rank", "kind", "title", "script", "owed", "contact"),
    "runners_up": _whole("offer", "item"),
    "withheld": _withheld,
    "reasons": _reasons(_whole("feature", "value", "sentence")),
}  # fmt: skip
_VIEWS: Mapping[tuple[str, str], View] = {("decisions", Role.AGENT): _agents_decision}
