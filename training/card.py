"""The model card (Mitchell and others 2019): what a bundle is for, what it rests on, and what it doesn't claim."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training.evaluation import Figure
from training.groups import GroupFigure
from training.leaderboard import TITLES, candidates
from training.lorenz import Captured, Movers
from training.markdown import between, bullets, number, table
from training.metrics import COVERAGE, Campaign
from training.whose import whose

_USE = """\
It tells, for customers of this business, who is likely to leave, what each is expected to bring within the horizon, and
what each is likely to buy next, so that a person or a rule can decide whom to call first and what to offer.

It isn't meant for decisions on credit, prices, insurance or employment, for customers of another business, or for
saying what causes a customer to stay: a high risk doesn't say that an offer helps."""


def card(
    manifest: Mapping[str, Any],
    figures: Sequence[Figure],
    groups: Sequence[GroupFigure] = (),
    lorenz: tuple[str, Sequence[Captured]] | None = None,
    moved: Movers | None = None,
) -> str:
    """Write a bundle's card as Markdown.

    Of the manifest it reads `as_of`, `customers`, `active` (`kind`, `days`), `horizon` (`days`, `why`), `cutoffs`
    (`learn`, `choose`, `choose_days`, `test`), `level` ("" without products), `currency`, `seed`,
    `git_commit`, `value` (`said`, `told`, `assumed`), `tiers`, `tier_band`, `grade`, `grade_reasons`, `alarms`,
    `chosen` (by model: `candidate`, `ladder`), `totals_claimed`, `minimum` and `ranks_only`; all must be there, but
    `chosen` may lack a model, and `tuned` is there only if trees were searched, `effects` and `takers` if there are
    decisions, `data` if it was told whose data it is. `lorenz` is the table of the test
    window; `moved` is None unless both revenue and profit are known.
    """
    sections = (
        ("Grade", _grade(manifest)),
        ("What it is for", [_USE]),
        ("Data", _data(manifest)),
        ("Whose data", whose(manifest["data"]) if "data" in manifest else ()),
        ("How the models were chosen", _chosen(manifest["chosen"])),
        ("Tuning", _tuning(manifest.get("tuned"))),
        ("Figures on the test window", _figures(figures)),
        ("By group", _groups(groups)),
        ("Calibration", _calibration(figures)),
        ("What offers change", _effects(manifest.get("effects", ()))),
        ("Who takes offers up", _takers(manifest.get("takers", ()))),
        ("How value is spread", _spread(lorenz, moved, manifest["value"]["said"])),
        ("Limits", _limits(manifest)),
        ("How to make it again", _again(manifest)),
    )
    parts = [f"# Model card: churn, value and next purchase as of {manifest['as_of'][:10]}"]
    for title, section in sections:
        paragraphs = list(section)
        parts += [f"## {title}", *paragraphs] if paragraphs else []
    return "\n\n".join(parts) + "\n"


def _grade(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield f"**{manifest['grade']}**"
    yield bullets(manifest["grade_reasons"])
    yield bullets(f"Alarm: {alarm}" for alarm in manifest["alarms"]) if manifest["alarms"] else "No alarm."


def _data(manifest: Mapping[str, Any]) -> Iterator[str]:
    horizon, learn = manifest["horizon"], manifest["cutoffs"]["learn"]
    active, lapsed = _churn(manifest)
    tiers = ", ".join(f"{tier['name']} from {tier['floor']:,.2f}" for tier in manifest["tiers"])
    yield table(
        ("", ""),
        [
            ("known by", manifest["as_of"]),
            ("customers", f"{manifest['customers']:,}"),
            ("horizon", f"{horizon['days']} days ({horizon['why']})"),
            ("active", active),
            ("lapsed", lapsed),
            ("value", _value(manifest)),
            *((f"{TITLES[model].lower()} gives", why) for model, why in manifest["ranks_only"].items()),
            (
                "tiers, by rank" if "value" in manifest["ranks_only"] else "tiers, by expected value",
                f"{tiers}; kept within {_percent(manifest['tier_band'])} of a floor",
            ),
            ("next purchase", f"by {manifest['level']}" if manifest["level"] else "none: purchases name no product"),
            ("learned from", f"{len(learn)} cutoffs, {learn[0][:10]} to {learn[-1][:10]}"),
            ("chosen on", _choosing(manifest["cutoffs"])),
            ("tested on", f"{horizon['days']} days from {manifest['cutoffs']['test'][:10]}, which no choice has seen"),
        ],
        texts=2,
    )  # fmt: skip


def _value(manifest: Mapping[str, Any]) -> str:
    """Say what value counts, how far the sources tell its costs, and what is assumed."""
    if "value" in manifest["ranks_only"]:
        return "an order of customers alone, by their purchases; no amount, and no cost taken from any"
    value, currency = manifest["value"], manifest["currency"]
    told = [f"{_percent(share)} of events tell their {name.replace('_', ' ')}" for name, share in value["told"].items()]
    assumed = [f"a {kind} is assumed to cost {cost:,.2f} {currency}" for kind, cost in value["assumed"].items()]
    return "; ".join([f"{value['said']} over {manifest['horizon']['days']} days, in {currency}", *told, *assumed])


def _churn(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Say who is active, and what it is to lapse."""
    active, days = manifest["active"], manifest["horizon"]["days"]
    if active["kind"] == "contract":
        return "has bought, and hasn't ended the contract since", f"active, and ends the contract within {days} days"
    return f"bought within the last {active['days']} days", f"active, and buys nothing for the next {days} days"


def _choosing(cutoffs: Mapping[str, Any]) -> str:
    if not cutoffs["choose"]:
        return "nothing: the history is too short for windows of its own"
    days = " and ".join(sorted(moment[:10] for moment in cutoffs["choose"]))
    return f"{cutoffs['choose_days']} days each from {days}"


def _chosen(chosen: Mapping[str, Any]) -> Iterator[str]:
    for model, choice in chosen.items():
        yield f"### {TITLES[model]}: {choice['candidate']}"
        yield candidates(choice)


def _tuning(tuned: Mapping[str, Any] | None) -> Iterator[str]:
    if tuned is None:
        yield "Nothing was searched: the trees have training's default sizes and pace."
        return
    yield f"{tuned['minutes']:g} minutes, {tuned['trials']:,} trials: {tuned['said']}."
    if tuned["found"]:
        yield table(
            ("parameter", "found by the search" + ("" if tuned["kept"] else ", not taken")),
            [(name, f"{value:.4g}") for name, value in tuned["found"].items()],
        )


def _figures(figures: Sequence[Figure]) -> Iterator[str]:
    columns = ("", "ours", "95 % interval", "best simple rule", "its figure", "gain", "95 % interval of the gain")
    for model, title in TITLES.items():
        rows = [
            (
                figure.metric, number(figure.ours), between(figure.low, figure.high), figure.best_baseline or "–",
                number(figure.baselines[figure.best_baseline]) if figure.best_baseline else "–",
                number(figure.gain, signed=True), between(figure.gain_low, figure.gain_high, signed=True),
            )
            for figure in figures
            if figure.model == model
        ]  # fmt: skip
        if rows:
            yield f"### {title}"
            yield table(columns, rows)
    campaign = Campaign()
    yield (
        "Intervals are by bootstrap over customers; a gain is paired, and above zero is better. Profit assumes, in"
        f" units of one contact's cost, that a customer kept is worth {campaign.benefit / campaign.cost:.0f} contacts"
        f" and that a contact keeps {campaign.success:.0%} of those who would leave; whom to contact is decided by the"
        " predicted risk alone."
    ).replace("%", " %")


def _groups(groups: Sequence[GroupFigure]) -> Iterator[str]:
    columns = ("", "customers", "figure", "ours", "95 % interval", "best simple rule", "its figure", "interval of gain")
    for model, by in dict.fromkeys((row.model, row.by) for row in groups):
        yield f"### {TITLES[model]}, by {by}"
        yield table(
            columns,
            [
                (
                    row.group, f"{row.customers:,}" if row.customers else "–", row.metric, number(row.ours),
                    between(row.low, row.high), row.best_rule or "–", number(row.its_figure),
                    between(row.gain_low, row.gain_high, signed=True),
                )
                for row in groups
                if (row.model, row.by) == (model, by)
            ],
        )  # fmt: skip


def _calibration(figures: Sequence[Figure]) -> Iterator[str]:
    for figure in figures:
        if figure.metric.startswith("ECE"):
            yield (
                f"{TITLES[figure.model]}: probabilities are off by {number(figure.ours)} on average over ten groups by"
                f" predicted probability ({between(figure.low, figure.high)} with 95 % confidence)."
            )
        if figure.metric.startswith("within the"):
            yield (
                f"{TITLES[figure.model]}: {_percent(figure.ours)} of what came lay {figure.metric}; the aim is"
                f" {_percent(COVERAGE)}."
            )


def _effects(measured: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not measured:
        return
    yield (
        "By how much the probability of what is wished for (staying; buying the item) differs between decisions in"
        " which chance made the offer and those in which it made none, with 95 % intervals. The stated prior serves"
        " where too few are known, or where it is surely nearer to what came of later decisions."
    )
    rows = [
        (
            one["offer"], one["what"], one["grade"], f"{one['decisions']:,}", number(one["stated"], signed=True),
            number(one.get("average"), signed=True), between(one.get("low"), one.get("high"), signed=True),
            number(one.get("served"), signed=True), one["why"],
        )
        for one in measured
    ]  # fmt: skip
    columns = ("offer", "outcome", "grade", "decisions", "stated", "measured", "interval", "served", "why")
    yield table(columns, rows, texts=3)


def _takers(takers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not takers:
        return
    yield "Who took offers up, beside the takers that were said when they were made; the ratio with its 95 % interval."
    rows = [
        (
            one["offer"], one["grade"], f"{one['made']:,}", f"{one['taken']:,}", number(one["said"]),
            number(one["ratio"]), between(one["low"], one["high"]),
        )
        for one in takers
    ]  # fmt: skip
    yield table(("offer", "grade", "made", "taken up", "said", "ratio", "interval"), rows)


def _spread(
    lorenz: tuple[str, Sequence[Captured]] | None, moved: Movers | None, said: str
) -> Iterator[str]:  # fmt: skip
    if lorenz is not None:
        rule, rows = lorenz
        columns = ("customers, from the top", "ours", f"best simple rule ({rule})", "perfect order")
        cells = [(row.customers, row.ours, row.best_rule, row.perfect) for row in rows]
        yield table(columns, [tuple(_percent(cell) for cell in row) for row in cells])
    if moved is not None:
        top = max(1, round(moved.top * moved.customers))
        yield (
            f"Ranked by {said} in place of revenue, as both came in the test window, {moved.entering:,} customers enter"
            f" the top {_percent(moved.top)} of {moved.customers:,}, and as many of the {top:,} in the top tier by"
            " revenue aren't in the top tier by value."
            f" Those who enter hold {_percent(moved.profit_of_entering)} of the value, those who leave"
            f" {_percent(moved.profit_of_leaving)}. movers.csv lists who is in another tier."
        )


def _limits(manifest: Mapping[str, Any]) -> Iterator[str]:
    days = manifest["horizon"]["days"]
    totals = (
        "Totals are claimed: the history holds 13 months or more."
        if manifest["totals_claimed"]
        else "No total is claimed: with less than 13 months of history a season can't be told from a trend. Use the"
        " order of customers, not the sum of what they are expected to bring."
    )
    yield bullets(
        [
            totals,
            *manifest["minimum"],
            *_of_intervals(manifest["cutoffs"], days),
            f"Nothing is claimed beyond {days} days, nor of customers who aren't active: their risk isn't scored.",
            "One test window was judged. The intervals say how much other customers would have changed the figures, not"
            " how much another season would have.",
            "Figures of small groups are uncertain: read their intervals, not their middles.",
            "The past holds contacts and offers: how customers would have done without them isn't known.",
        ]
    )


def _of_intervals(cutoffs: Mapping[str, Any], days: int) -> Iterator[str]:
    """Say when the shares of the expectation that bound value weren't found on windows of the real horizon."""
    if not cutoffs["choose"]:
        yield "The interval of value was found on a window learned from: it is likely a little narrow."
    elif cutoffs["choose_days"] != days:
        yield (
            f"The shares that make the interval of value were found on windows of {cutoffs['choose_days']} days, since"
            f" the history is too short for later windows of {days}: over the longer time it may cover less, or more."
        )


def _again(manifest: Mapping[str, Any]) -> Iterator[str]:
    tuned = manifest.get("tuned")
    yield "With the same history:"
    yield (
        f"    git checkout {manifest['git_commit']}\n"
        f"    holdfast train --as-of {manifest['as_of']} --seed {manifest['seed']}"
        + (f" --tune {tuned['minutes']:g}" if tuned else "")
    )
    if tuned:
        yield "A search finds what the machine has time for: a slower or faster one may find other parameters."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %".replace(".0 %", " %")
