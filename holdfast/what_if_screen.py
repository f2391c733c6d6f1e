"""A what-if as a person reads it."""

from collections.abc import Mapping
from typing import Any

from holdfast.screen import out, table

_SHOWN, _SIDES = 12, ("before", "after")


def show(answer: Mapping[str, Any]) -> None:
    """Print what a new playbook would change."""
    decided = f"{answer['decided']:,} of {answer['customers']:,} customers decided for, asked over {answer['channel']}"
    most = answer["offers_at_most"]
    offers = f"at most {most} {'offer' if most == 1 else 'offers'} each"
    out.print(f"Simulated: {decided}, {offers}; nobody was offered anything.")
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
        for sort, said in (("gained", "gain it; before"), ("lost", "lose it; now")):
            for why in one[f"{sort}_because"][:3]:
                reason = f"{why['layer']}, {why['rule']}"
                out.print(f"{one['offer']}: {why['customers']:,} {said}: {reason}", soft_wrap=True, markup=False)


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
        out.print(table("Customers from whom something is kept", ("by the contact policy", "before", "after"), rows))
    else:
        out.print("The contact policy keeps nothing from anybody, before or after.")
    if answer["attention"]:
        columns = ("owner", "budget", "used", "asked before", "asked after", "share after")
        out.print(table("Budgets of attention, were everybody in the fence asked once", columns, _budgets(answer)))
    _load(answer["load"])


def _budgets(answer: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Put each owner's budget before and after into one row; the budget is the new one, where there is one."""
    sides = {(one["owner"], one["playbook"]): one for one in answer["attention"]}
    rows = []
    for owner in dict.fromkeys(owner for owner, _ in sides):
        before, after = sides.get((owner, "before")), sides.get((owner, "after"))
        newest = after or before or {}
        asked = ["–" if side is None else f"{side['asked']:,}" for side in (before, after)]
        share = "–" if after is None or after["share"] is None else f"{after['share']:.0%}"
        rows.append((owner, f"{newest['budget']:,}", f"{newest['used']:,}", *asked, share))
    return rows


def _load(load: Mapping[str, Any]) -> None:
    rows = [
        (f"proposals over {load['channel']}", *(f"{load[side]['proposals']:,}" for side in _SIDES)),
        ("of them by the field alone", *(f"{load[side]['field']:,}" for side in _SIDES)),
        ("expected to be taken up", *(f"{load[side]['takers']:,.1f}" for side in _SIDES)),
        ("incentives expected to be paid", *(f"{load[side]['incentives']:,.2f}" for side in _SIDES)),
    ]
    out.print(table("Load of agents and field; no playbook says how long an offer takes", ("", *_SIDES), rows))


def _groups(answer: Mapping[str, Any]) -> None:
    sides = {(one["attribute"], one["level"], one["playbook"]): one for one in answer["groups"]}
    told = [one for one in answer["groups"] if one["playbook"] == "after" and one["ratio"] is not None]
    rows = []
    for one in sorted(told, key=lambda one: (one["ratio"], one["profit_ratio"] or 0.0))[:_SHOWN]:
        before = sides[one["attribute"], one["level"], "before"]
        rows.append(
            (
                f"{one['attribute']}: {one['level']}", f"{one['customers']:,}", f"{before['share']:.0%}",
                f"{one['share']:.0%}", f"{one['ratio']:.2f}", _ratio(before["profit_ratio"]),
                _ratio(one["profit_ratio"]), "below 0.8" if one["below"] else "",
            )
        )  # fmt: skip
    if rows:
        columns = ("group", "customers", "offered", "after", "ratio", "profit", "after", "")
        out.print(table("Groups beside all others, the least favoured first", columns, rows))
        out.print("Ratios are to the others: of the shares offered something, and of the profit a customer.")
    else:
        out.print("No attribute is shared by 30 customers or more, so no groups are compared.")


def _ratio(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"


def _gate(answer: Mapping[str, Any]) -> None:
    for one in answer["gate"]["checks"]:
        colour, word = ("green", "holds") if one["holds"] else ("red", "fails")
        found = "nothing to compare" if one["found"] is None else f"{one['found']:,.4g}"
        out.print(f"[{colour}]Gate {one['check']} {one['bar']:g}: found {found}, {word}.[/]")
