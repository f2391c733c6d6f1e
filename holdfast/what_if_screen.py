"""A what-if as a person reads it."""

from collections.abc import Mapping
from typing import Any

from holdfast.screen import out, table

_SHOWN = 12


def show(answer: Mapping[str, Any]) -> None:
    """Print what a new playbook would change."""
    decided = f"{answer['decided']:,} of {answer['customers']:,} customers decided for, asked over {answer['channel']}"
    out.print(f"Simulated: {decided}, at most {answer['offers_at_most']} offers each; nobody was offered anything.")
    for one in answer["changes"]:
        fields = ", ".join(one["fields"])
        out.print(
            f"Changed: {one['sort']} {one['name']} {one['change']}{': ' + fields if fields else ''}", soft_wrap=True
        )
    if answer["needs_training"]:
        out.print(f"[yellow]Takes effect only with training: {', '.join(answer['needs_training'])}.[/]")
    if answer["same"]:
        out.print("[green]Nothing changes: the playbooks say the same, and decide the same for everybody.[/]")
    _offers(answer)
    _profit(answer)
    _pressure(answer)
    _groups(answer)
    _gate(answer)


def _offers(answer: Mapping[str, Any]) -> None:
    rows = [
        (
            one["offer"], f"{one['before']:,}", f"{one['after']:,}", f"+{one['gained']:,}", f"-{one['lost']:,}",
            f"{one['profit_before']:,.2f}", f"{one['profit_after']:,.2f}",
        )
        for one in answer["offers"]
    ]  # fmt: skip
    rows.append(("(silence)", f"{answer['silent']['before']:,}", f"{answer['silent']['after']:,}", "", "", "", ""))
    columns = ("offer", "before", "after", "gain", "lose", "profit", "new profit")
    out.print(table(f"Who is offered what: {answer['moved']:,} customers are offered something else", columns, rows))
    for one in answer["offers"]:
        for sort in ("gained", "lost"):
            for why in one[f"{sort}_because"][:3]:
                said = "no longer stopped by" if sort == "gained" else "now"
                reason = f"{why['layer']}, {why['rule']}"
                out.print(f"{one['offer']}: {why['customers']:,} {sort}, {said} {reason}", soft_wrap=True, markup=False)


def _profit(answer: Mapping[str, Any]) -> None:
    rows = [
        (name, f"{one['expected']:,.2f}", f"{one['low']:,.2f} – {one['high']:,.2f}")
        for name, one in answer["profit"].items()
    ]
    out.print(table(f"Expected profit, {answer['currency']}", ("", "expected", "95 % interval"), rows))
    out.print(f"Interval: {answer['interval']}.", soft_wrap=True)
    out.print(f"Effects: {answer['effects']}. Expected by models; nothing was measured.", soft_wrap=True)


def _pressure(answer: Mapping[str, Any]) -> None:
    felt = [one for one in answer["contact"] if one["before"] or one["after"]]
    if felt:
        rows = [(one["rule"], f"{one['before']:,}", f"{one['after']:,}") for one in felt]
        out.print(table("Customers from whom the contact policy keeps something", ("", "before", "after"), rows))
    else:
        out.print("The contact policy keeps nothing from anybody, before or after.")
    budgets = [
        (
            f"{one['owner']}, {one['playbook']}",
            f"{one['budget']:,}",
            f"{one['used']:,}",
            f"{one['asked']:,}",
            "–" if one["share"] is None else f"{one['share']:.0%}",
        )
        for one in answer["attention"]
    ]
    if budgets:
        columns = ("owner", "budget", "used", "asked, everybody once", "share")
        out.print(table("Budgets of attention", columns, budgets))
    load = answer["load"]
    sides = [
        f"{side} {load[side]['proposals']:,} ({load[side]['field']:,} by the field)" for side in ("before", "after")
    ]
    said = f"Proposals over {load['channel']}: {', '.join(sides)}. The playbook says of no offer how long it takes."
    out.print(said, soft_wrap=True)


def _groups(answer: Mapping[str, Any]) -> None:
    told = sorted((one for one in answer["groups"] if one["ratio"] is not None), key=lambda one: one["ratio"])
    pairs = {(one["attribute"], one["level"]): one for one in told if one["playbook"] == "before"}
    rows = []
    for one in [one for one in told if one["playbook"] == "after"][:_SHOWN]:
        before = pairs.get((one["attribute"], one["level"]))
        rows.append(
            (
                f"{one['attribute']}: {one['level']}", f"{one['customers']:,}", f"{one['share']:.0%}", _ratio(before),
                _ratio(one), "–" if one["profit_ratio"] is None else f"{one['profit_ratio']:.2f}",
                "below 0.8" if one["below"] else "",
            )
        )  # fmt: skip
    if rows:
        columns = ("group", "customers", "offered", "ratio before", "ratio after", "profit ratio", "")
        out.print(table("Offered something, by group, the least favoured first", columns, rows))
    else:
        out.print("No attribute is shared by 30 customers or more, so no groups are compared.")


def _ratio(one: Mapping[str, Any] | None) -> str:
    return "–" if one is None else f"{one['ratio']:.2f} ({one['low']:.2f}–{one['high']:.2f})"


def _gate(answer: Mapping[str, Any]) -> None:
    for one in answer["gate"]["checks"]:
        colour, word = ("green", "holds") if one["holds"] else ("red", "fails")
        found = "nothing to compare" if one["found"] is None else f"{one['found']:,.4g}"
        out.print(f"[{colour}]Gate {one['check']} {one['bar']:g}: found {found}, {word}.[/]")
