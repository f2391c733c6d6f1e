"""`holdfast decide`: what an agent's screen would say of one customer."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from features.definitions import NAMES
from features.errors import InputError
from holdfast.places import opened
from holdfast.screen import out, say_json, spinner

# LightGBM and the registry take seconds to import: the command does so when it runs.


def decide(
    customer: Annotated[str, typer.Argument(help="An id, or any reference such as a phone number.")],
    channel: Annotated[str, typer.Option(help="Where the conversation takes place.")] = "phone",
    offers: Annotated[int, typer.Option(min=1, max=20, help="How many offers at most.")] = 3,
    language: Annotated[str | None, typer.Option(help="en or ko; the glossary's first by default.")] = None,
    context: Annotated[str, typer.Option(help="What the caller knows of the conversation, as JSON.")] = "{}",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Decide what to offer a customer, and write the decision down, as the service would.

    Example: holdfast decide 1228 --channel phone --json
    """
    from serving.bundle import fetch, load
    from serving.desk import Desk
    from serving.offers import load_playbook
    from serving.requests import Ask
    from serving.scorer import Scorer

    told = _context(context)
    with opened() as (place, history, clock):
        with spinner("Loading the bundle"):
            scorer = Scorer(load(*fetch(place)))
        desk = Desk(history, scorer, load_playbook(place.playbook, NAMES), clock)
        answer = desk.decide(Ask(customer=customer, channel=channel, context=told, offers=offers, language=language))
    if as_json:
        say_json(answer)
    else:
        show(answer)


def _context(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError as error:
        raise InputError(f"expected --context as a JSON object, found {text!r}: {error}") from error
    if not isinstance(told, dict):
        raise InputError(f'expected --context as a JSON object such as \'{{"topic": "complaint"}}\', found {text!r}')
    return told


def show(answer: Mapping[str, Any]) -> None:
    """Print a decision as an agent reads it."""
    scores = answer["scores"]
    money = scores["currency"]
    risk = scores["churn_risk"]
    out.rule(f"[bold]{answer['customer']}[/]", align="left")
    if answer["note"]:
        out.print(f"[yellow]{answer['note']}[/]")
    leaving = (
        "not active: lapsed, or new"
        if risk is None
        else f"{risk:.0%} risk of leaving within {scores['horizon_days']} days"
    )
    out.print(
        f"Worth   {answer['tier']} tier: {scores['expected_value']:,.2f} {money} of {scores['value_measure']}"
        f" expected in {scores['horizon_days']} days ({scores['value_low']:,.0f} – {scores['value_high']:,.0f})"
    )
    out.print(f"Leaving {leaving}")
    for reason in answer["reasons"]["churn"]:
        out.print(f"        {'▲' if reason['contribution'] > 0 else '▼'} {reason['sentence']}")
    likely = ", ".join(f"{item['spoken']} ({item['probability']:.0%})" for item in answer["next_purchases"][:5])
    out.print(f"Next    {likely or 'the history names no products'}")
    for offer in answer["offers"]:
        gain = offer["breakdown"]["expected_incremental_profit"]
        out.print(f"Offer {offer['rank']} [bold green]{offer['title']}[/]  expected gain {gain:,.2f} {money}")
        out.print(f"        “{offer['script']}”")
    if answer["silence"]:
        out.print(f"Offer   [yellow]{answer['silence']}[/]")
    for one in answer["withheld"]:
        out.print(f"[dim]Not     {one['offer']}: {one['reason']}[/]")
    out.print(
        f"[dim]Decision {answer['decision_id']}, as of {answer['as_of'][:19]},"
        f" bundle version {answer['bundle']['version']}[/]"
    )
