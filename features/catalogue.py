"""The catalogue page: every feature with its sentences, its unit and what it is made of, from the definitions alone.

`make catalogue` writes it to docs/features.md; a test holds the page against the definitions.
"""

from collections.abc import Iterator

from features.aggregates import Aggregate, Selection
from features.contract import CONTRACT
from features.definitions import FEATURES, SUBJECTS
from features.feature import Feature
from features.pairs import PAIRS

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SAID = {
    "total": "sum of {column}",
    "smallest": "smallest {column}",
    "largest": "largest {column}",
    "distinct": "different values of {column}",
    "first": "first {column}",
    "last": "last {column}",
    "last_total": "sum of {column} at the last moment",
    "level": "newest level",
    "squared_gaps": "squared gaps between days",
    "longest_gap": "longest gap between days",
    "gap_quantile": "{parameter} % quantile of the gaps between days",
    "streak": "unbroken periods of {parameter} days",
}


def page() -> str:
    """Write the page in Markdown."""
    return "\n".join([*_head(), *_subjects(), *_pairs()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Features"
    yield ""
    yield "Made by `make catalogue` from `features/definitions/` and `features/pairs.py`; don't edit it."
    yield ""
    yield f"{len(FEATURES)} features of a customer and {len(PAIRS)} of a customer and an item, under contract"
    yield f"`{CONTRACT.definitions}`. Windows count back from the moment asked about and are half-open: an event"
    yield "exactly as old as the window counts, one at the moment itself doesn't. Days, hours and weekdays are those of"
    yield "the event's local clock. Unknown is NaN in a row, null in JSON and Parquet, and – on a screen."


def _subjects() -> Iterator[str]:
    for subject, features in SUBJECTS.items():
        yield from (
            "",
            f"## {subject.capitalize()}",
            "",
            "| feature | unit | English | 한국어 | made of |",
            "|---|---|---|---|---|",
        )
        for feature in features:
            words = f"{feature.unit} | {_plain(feature.en)} | {_plain(feature.ko)}"
            yield f"| `{feature.name}` | {words} | {_made(feature)} |"


def _pairs() -> Iterator[str]:
    said = "Ages count from the start of a day, and days are days of UTC."
    yield from (
        "",
        "## A customer and an item",
        "",
        said,
        "",
        "| feature | unit | English | 한국어 |",
        "|---|---|---|---|",
    )
    for pair in PAIRS:
        yield f"| `{pair.name}` | {pair.unit} | {_plain(pair.en)} | {_plain(pair.ko)} |"


def _plain(sentence: str) -> str:
    return sentence.replace("{value}", "…")


def _made(feature: Feature) -> str:
    parts = ", ".join(f"`{part}`" if isinstance(part, str) else _aggregate(part) for part in feature.inputs)
    return parts if feature.formula in ("itself", "exact") else f"{feature.formula.replace('_', ' ')} of {parts}"


def _aggregate(part: Aggregate) -> str:
    said = _SAID[part.operation].format(column=part.column.replace("_", " "), parameter=part.parameter)
    said = said.replace("sum of one", "count")
    window = "" if part.window_days is None else f", {part.window_days} days"
    decay = "" if part.half_life_days is None else f", halved every {part.half_life_days} days"
    return f"{said} [{_selection(part.selection)}{window}{decay}]"


def _selection(of: Selection) -> str:
    words = [" or ".join(of.kinds).replace("_", " ")]
    words += [f"by {' or '.join(of.channels)}"] if of.channels else []
    words += [f"of {of.product}"] if of.product else []
    words += ["at a discount"] if of.discounted else []
    words += [f"from {of.hours[0]}:00 to {of.hours[1]}:00"] if of.hours else []
    words += [f"on {', '.join(_WEEKDAYS[day] for day in of.weekdays)}"] if of.weekdays else []
    return " ".join(words)


if __name__ == "__main__":
    print(page(), end="")
