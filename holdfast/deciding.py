"""`holdfast decide`: what an agent's screen would say of one customer."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Annotated, Any

import typer

from features.errors import InputError
from features.home import home
from holdfast.screen import basis, out, say_json, spinner

# LightGBM and the registry take seconds to import: the command does so when it runs.


REASONS_SHOWN = 2


def decide(
    customer: Annotated[str, typer.Argument(help="An id, or any reference such as a phone number.")],
    channel: Annotated[str, typer.Option(help="Where the conversation takes place.")] = "phone",
    offers: Annotated[int, typer.Option(min=1, max=20, help="How many offers at most.")] = 3,
    language: Annotated[str | None, typer.Option(help="en or ko; the glossary's first by default.")] = None,
    context: Annotated[str, typer.Option(help="What the caller knows of the conversation, as JSON.")] = "{}",
    outbound: Annotated[bool, typer.Option("--outbound", help="We begin the conversation: quiet hours count.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Decide what to offer a customer, and write the decision down, as the service would.

    Example: holdfast decide 1228 --channel phone --json
    """
    from serving.bundle import fetch
    from serving.opening import open_desk
    from serving.requests import Ask

    ask = Ask(
        customer=customer,
        channel=channel,
        context=_context(context),
        offers=offers,
        language=language,
        outbound=outbound,
    )
    with spinner("Loading the bundle"):
        place = home()
        desk = open_desk(place, *fetch(place))
    with closing(desk.history):
        answer = desk.decide(ask)
    if as_json:
        say_json(answer)
    else:
        show(answer)


def _context(text: str) -> dict[str, Any]:
    def refuse(found: object) -> Any:
        raise InputError(f'expected --context as a JSON object such as \'{{"topic": "complaint"}}\', found {found}')

    try:
        told = json.loads(text, parse_constant=refuse)
    except ValueError as error:
        refuse(f"{text!r}: {error}")
    if not isinstance(told, dict):
        refuse(repr(text))
    for name, value in told.items():
        if not isinstance(value, str | int | float | None):
            refuse(f"{name} = {value!r}, which is neither text, number, true, false nor null")
        if isinstance(value, int) and abs(value) > 2**53:
            refuse(f"{name} = {value}, which is larger than 2^53")
    return dict(told)


def _costs(answer: Mapping[str, Any]) -> Iterator[str]:
    """Say what a value is made up of, where costs are held, and what of it is assumed."""
    scores = answer["scores"]
    parts = scores["value_breakdown"] or {}
    costs = [
        f"− {cost:,.2f} {name.replace('_', ' ')}"
        for name, cost in parts.items()
        if name not in ("measure", "brought") and cost is not None
    ]
    if costs:
        yield f"{parts['brought']:,.2f} {scores['value_measure']} {' '.join(costs)}"
    for kind, cost in answer["assumptions"]["cost_to_serve"].items():
        yield f"Assumed: a {kind} costs {cost:,.2f} {scores['currency']}"


def show(answer: Mapping[str, Any]) -> None:
    """Print a decision as an agent reads it."""
    scores = answer["scores"]
    money = scores["currency"]
    out.rule(f"[bold]{answer['customer']}[/]", align="left")
    if answer["note"]:
        out.print(f"[yellow]{answer['note']}[/]")
    out.print(f"Worth   {answer['tier']} tier: {_worth(scores)}")
    for sentence in _costs(answer):
        out.print(f"        {sentence}")
    out.print(f"Leaving {_leaving(scores)}")
    for reason in answer["reasons"]["churn"]:
        out.print(f"        {'▲' if reason['contribution'] > 0 else '▼'} {reason['sentence']}")
    out.print(f"Next    {_named(answer['next_purchases'][:5]) or 'the history names no products'}")
    if new := [item for item in answer["new_purchases"] if item not in answer["next_purchases"]]:
        out.print(f"New     {_named(new[:3])}")
    for offer in answer["offers"]:
        gain = offer["breakdown"]["expected_incremental_profit"]
        out.print(f"Offer {offer['rank']} [bold green]{offer['title']}[/]  expected gain {gain:,.2f} {money}")
        out.print(f"        “{offer['script']}”")
        for part in offer["reasons"][:REASONS_SHOWN]:
            out.print(f"        [dim]{part['amount']:+,.2f}  {part['sentence']}[/]")
    if answer["silence"]:
        out.print(f"Offer   [yellow]{answer['silence']}[/]")
    for one in answer["withheld"]:
        out.print(f"[dim]Not     {one['offer']}: {one['reason']}[/]")
        if one["flip"]:
            out.print(f"[dim]        {one['flip']['sentence']}[/]")
    out.print(f"[dim]Basis   {basis(scores)}[/]")
    out.print(
        f"[dim]Decision {answer['decision_id']}, as of {answer['as_of'][:19]},"
        f" bundle version {answer['bundle']['version']}[/]"
    )


def _named(items: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{item['spoken']} ({item['probability']:.0%})" for item in items)


def _worth(scores: Mapping[str, Any]) -> str:
    days = scores["horizon_days"]
    if scores["expected_value"] is None and scores["value_rank"] is None:
        return "not known"
    if scores["expected_value"] is None:
        return f"more than {scores['value_rank']:.0%} of customers in {days} days (ranks only: no amount)"
    return (
        f"{scores['expected_value']:,.2f} {scores['currency']} of {scores['value_breakdown']['measure']} expected in"
        f" {days} days"
        f" ({scores['value_low']:,.0f} – {scores['value_high']:,.0f})"
    )


def _leaving(scores: Mapping[str, Any]) -> str:
    within = f"within {scores['horizon_days']} days"
    if scores["churn_risk"] is not None:
        return f"{scores['churn_risk']:.0%} risk of leaving {within}"
    if scores["churn_rank"] is not None:
        return f"more at risk than {scores['churn_rank']:.0%} of active customers {within} (ranks only: no probability)"
    if scores["expected_value"] is None and scores["value_rank"] is None:
        return "not known"
    return "not active: lapsed, or new"
