"""`holdfast chase`: whom an effort to keep pays for, and whom not to chase."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl
import typer

from features.archive import completed
from features.home import home
from features.wordings import wordings_of
from holdfast.places import responses_of_now
from holdfast.playbooks import Folder, champion_base, counted, members_of, playbook_of
from holdfast.screen import AsJson, bars, near, out, say_json, table

if TYPE_CHECKING:
    from serving.chase import Group, Verdict

_SHOWN = 12
_MEANINGS = {"chase": "an effort pays", "not_now": "one would, a rule stops it", "not_worth": "none does"}


def chase(
    to: Annotated[Path | None, typer.Option("--out", help="The Parquet file to write; data/chase by default.")] = None,
    folder: Folder = None,
    language: Annotated[str | None, typer.Option(help="en or ko; the glossary's first by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """List whom an effort to keep pays for, and whom not to chase, with the reason; compare groups of customers.

    Judged is every customer whose risk and value are known, by the best of the playbook's retention and service offers,
    over its cheapest channel. What a customer is owed is no effort: nobody goes without it for being worth little.

    Example: holdfast chase --out chase.parquet
    """
    from serving.chase import Efforts, fairness
    from serving.lint import owed_by_value

    playbook = playbook_of(folder)
    spoken = language or playbook.glossary.languages[0]
    with champion_base() as (scorer, known, as_of), bars() as tick:
        members = list(counted(members_of(scorer, playbook, known), None, tick))
        efforts = Efforts(playbook, scorer.bundle.effects, responses_of_now())
        verdicts = list(efforts.judge(members, as_of))
        groups = fairness(verdicts, wordings_of(known))
        target = to or _default(f"{as_of:%Y-%m-%dT%H%M%S}")
        _write(verdicts, spoken, target)
        broken = list(owed_by_value(playbook))
    counts = Counter(one.verdict for one in verdicts)
    answer = {
        "as_of": as_of.isoformat(), "playbook": playbook.hash, "bundle": scorer.bundle_hash, "customers": len(members),
        "judged": len(verdicts), "verdicts": dict(counts), "effects": efforts.said, "file": str(target),
        "owed": [one.id for one in playbook.offers if one.owed], "owed_by_value": broken,
        "groups": [vars_of(one) for one in groups],
    }  # fmt: skip
    if as_json:
        say_json(answer)
    else:
        _show(answer, verdicts, groups, spoken, target)


def vars_of(group: "Group") -> dict[str, Any]:
    """A group for JSON."""
    return {name: getattr(group, name) for name in (*group.__dataclass_fields__, "below")}


def _write(verdicts: "Sequence[Verdict]", language: str, target: Path) -> None:
    rows = [
        {name: getattr(one, name) for name in one.__dataclass_fields__} | {"reason": one.reason[language]}
        for one in verdicts
    ]
    with completed(target) as made:
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(made)


def _default(moment: str) -> Path:
    folder = home().data / "chase"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{moment}.parquet"


def _show(
    answer: dict[str, Any], verdicts: "Sequence[Verdict]", groups: "Sequence[Group]", language: str, target: Path
) -> None:
    out.print(f"{answer['judged']:,} of {answer['customers']:,} customers have a known risk and value.")
    rows = []
    for verdict, meaning in _MEANINGS.items():
        some = [one for one in verdicts if one.verdict == verdict]
        value, profit = sum(one.expected_value for one in some), sum(one.expected_profit for one in some)
        rows.append((f"{verdict}: {meaning}", f"{len(some):,}", f"{value:,.0f}", f"{profit:,.0f}"))
    out.print(table("Whom to chase", ("", "customers", "value", "best effort's profit"), rows))
    worst = sorted((one for one in verdicts if one.verdict == "not_worth"), key=lambda one: one.expected_profit)[:3]
    for one in worst:
        out.print(f"Not {one.customer}: {one.reason[language]}", soft_wrap=True)
    _show_groups(groups)
    out.print(f"Owed to everybody, whatever they are worth: {', '.join(answer['owed']) or 'nothing in this playbook'}.")
    for broken in answer["owed_by_value"]:
        out.print(f"[red]{broken}[/]")
    out.print(f"Effects: {answer['effects']}. Written to {near(target)}", soft_wrap=True)


def _show_groups(groups: "Sequence[Group]") -> None:
    if not groups:
        out.print("No attribute is shared by 30 customers or more, so no groups are compared.")
        return
    told = sorted((one for one in groups if one.ratio is not None), key=lambda one: one.ratio or 0.0)[:_SHOWN]
    rows = [
        (
            f"{one.attribute}: {one.level}", f"{one.customers:,}", f"{one.worth_it:.0%}",
            f"{one.ratio:.2f} ({one.low:.2f}–{one.high:.2f})", "below 0.8" if one.below else "",
        )
        for one in told
    ]  # fmt: skip
    columns = ("group, the least favoured first", "customers", "worth it", "ratio to others", "")
    out.print(table("Worth an effort, by group", columns, rows))
