"""`holdfast challenger`: what the challenger would have decided, beside what was."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from features.errors import RegistryError
from features.history import History
from features.home import Home
from holdfast.places import opened
from holdfast.screen import AsJson, out, say_json, spinner, table

_EMPTY = "Nothing challenges the champion. Set a version beside it: [bold]holdfast challenge VERSION[/]"
_NONE_YET = (
    "Version {} challenges version {}, and hasn't decided beside it yet: a running service has to be asked first."
)
_READ = ("customer", "as_of", "scores", "next_purchases", "offers")
_SCORES = {"churn_risk": "risk of leaving", "expected_value": "expected value"}


def challenger(as_json: AsJson = False) -> None:
    """Compare what the challenger would have decided with what the champion did, on the same customers and moments.

    Where a horizon has passed, it tells whose predictions came nearer to what happened.

    Example: holdfast challenger
    """
    with opened() as (place, history, clock), spinner("Comparing"):
        answer = compare(place, history, clock())
    if as_json:
        say_json(answer)
    else:
        show(answer)


def compare(place: Home, history: History, now: Any) -> dict[str, Any]:
    """Compare the two on every decision of the champion that the challenger shadowed."""
    from models.manifest import manifest_of
    from serving.bundle import CHALLENGER, CHAMPION, download, look
    from training.challenging import Beside, judged

    ours, theirs = look(place, CHAMPION), look(place, CHALLENGER)
    if ours is None or theirs is None:
        return {"champion": ours and ours.version, "challenger": theirs and theirs.version, "decisions": 0}
    pairs = [
        ({name: body[name] for name in _READ}, said)
        for body, said in history.shadows.beside(theirs.hash)
        if body["bundle"]["hash"] == ours.hash
    ]
    told = {
        "champion": ours.version,
        "challenger": theirs.version,
        "decisions": len(pairs),
        "passed": history.shadows.passed(theirs.hash),
    }
    if not pairs:
        return told
    beside = Beside.of(pairs)
    shifts = {name: beside.shift(name) for name in _SCORES}
    try:
        manifests = manifest_of(download(place, ours)), manifest_of(download(place, theirs))
    except RegistryError as error:
        outcomes: dict[str, Any] = {"customers": 0, "why": str(error)}
    else:
        until = now - timedelta(days=manifests[0]["horizon"]["days"])
        outcomes = judged(beside, history.known_by(now), until, manifests)
    return told | {
        "first_offer_differs": beside.differing().as_dict(),
        "shifts": {name: shift and shift.as_dict() for name, shift in shifts.items()},
        "outcomes": outcomes,
    }


def show(answer: Mapping[str, Any]) -> None:
    """Print the comparison as a person reads it."""
    if answer["challenger"] is None or answer["champion"] is None:
        out.print(_EMPTY)
        return
    if not answer["decisions"]:
        out.print(_NONE_YET.format(answer["challenger"], answer["champion"]))
        return
    differs = _share(answer["first_offer_differs"])
    out.print(
        f"Version {answer['challenger']} beside version {answer['champion']}, on {answer['decisions']:,} of"
        f" {answer['passed']:,} decisions made meanwhile. Its first offer differs in {differs}."
    )
    for name, what in _SCORES.items():
        shift = answer["shifts"][name]
        said = (
            "too few have it" if shift is None else f"{shift['of']:+.4g} ({shift['low']:+.4g} to {shift['high']:+.4g})"
        )
        out.print(f"Its {what}, less the champion's: {said}.")
    _show_outcomes(answer["outcomes"])


def _show_outcomes(outcomes: Mapping[str, Any]) -> None:
    if outcomes["why"]:
        out.print(
            f"Against what happened: {outcomes['customers']:,} customers so far; {outcomes['why']}.", markup=False
        )
        return
    rows = [_row(name, outcomes[name]) for name in ("risk", "value") if outcomes[name]]
    columns = ("", "customers", "came", "champion said", "challenger said", "less error (95 %)", "nearer")
    out.print(table("Against what happened", columns, rows))


def _row(name: str, told: Mapping[str, Any]) -> tuple[str, ...]:
    gain = told["gain"]
    return (
        name, f"{told['customers']:,}", f"{told['observed']:.4g}", f"{told['champion']['expected']:.4g}",
        f"{told['challenger']['expected']:.4g}", f"{gain['of']:+.3g} ({gain['low']:+.3g} to {gain['high']:+.3g})",
        told["better"],
    )  # fmt: skip


def _share(rate: Mapping[str, float]) -> str:
    return f"{rate['of']:.0%} ({rate['low']:.0%}–{rate['high']:.0%})"
