"""A bundle beside the one that serves until now, in words: what changed, and which is better on the same customers.

What is compared are the new models' twins, which haven't seen the test window, and the champion as it serves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from features.contract import FeatureContract
from models.bundle import Models
from models.ranks import risks, worths
from training.evaluation import Figure
from training.grading import HEADLINES
from training.judgement import Tested
from training.leaderboard import TITLES
from training.markdown import between, bullets, number, table
from training.outcome import judge_beside, question
from training.pipeline import Trained

_NAMES = 10


@dataclass(frozen=True)
class Champion:
    """What serves until now; `models` is None when they need features that the code no longer computes so."""

    version: str
    manifest: Mapping[str, Any]
    models: Models | None


def comparison(trained: Trained, champion: Champion | None) -> str:
    """Write down, as Markdown, how a bundle differs from the champion, and which is better."""
    if champion is None:
        return "# Beside the champion\n\nThere was no champion that could be read when this bundle was registered.\n"
    ours, theirs = trained.manifest, champion.manifest
    sections = (
        ("Which is better", _better(trained, champion)),
        ("What changed", _changed(ours, theirs, champion.version)),
        ("Features", _features(ours, theirs)),
        ("Each on its own test window", _own(trained.figures, champion)),
    )
    parts = [f"# Beside the champion, version {champion.version}"]
    for title, section in sections:
        parts += [f"## {title}", *section]
    return "\n\n".join(parts) + "\n"


def _better(trained: Trained, champion: Champion) -> Iterator[str]:
    mine, other = question(trained.manifest), question(champion.manifest)
    name = f"Version {champion.version}"
    if mine != other:
        yield f"They answer different questions and can't be compared: this bundle {mine}, {name.lower()} {other}."
    elif ranks := {**trained.manifest["ranks_only"], **champion.manifest.get("ranks_only", {})}:
        yield (
            f"One of them gives ranks only of {' and '.join(ranks)}, so there is nothing that both say of the same"
            " customers."
        )
    elif champion.models is None:
        yield (
            f"{name} was trained on other features, which the code no longer computes: it can't be asked about the same"
            " customers. What each came to on its own test window stands below; the windows differ, so a difference"
            " there may be the window's."
        )
    else:
        figures = beside(trained.tested, champion, trained.manifest["seed"])
        cutoff = trained.tested.window.cutoff
        days = trained.manifest["horizon"]["days"]
        yield (
            f"On the same customers, in {days} days from {cutoff:%Y-%m-%d}, which the new models' twins hadn't seen"
            " (what serves of them is fitted once more, with these days):"
        )
        yield bullets(_sentence(figure, champion.version) for figure in figures if _is_headline(figure))
        yield _paired(figures, champion.version)
        yield _fairness(champion, cutoff)


def beside(tested: Tested, champion: Champion, seed: int) -> list[Figure]:
    """Judge both on the test window, each customer by both; the champion stands among the baselines."""
    assert champion.models is not None
    window, models = tested.window, champion.models
    ours = tested.risk[window.active], tested.expected
    theirs = (
        risks(models.churn, window.of_active.rows.values)[0],
        worths(models.value, window.rows.values)[0],
    )
    return judge_beside(window, ours, theirs, f"version {champion.version}", seed)


def _is_headline(figure: Figure) -> bool:
    return HEADLINES.get(figure.model) == figure.metric


def _sentence(figure: Figure, version: str) -> str:
    assert figure.gain_low is not None
    assert figure.gain_high is not None
    verdict = (
        "surely better" if figure.gain_low > 0
        else "surely worse" if figure.gain_high < 0
        else "not to be told apart"
    )  # fmt: skip
    return (
        f"{TITLES[figure.model]}: {verdict}. {figure.metric} is {number(figure.ours)} against"
        f" {number(figure.baselines[f'version {version}'])} of version {version}, on {figure.customers:,} customers;"
        f" the gain is {number(figure.gain, signed=True)}, with 95 % confidence"
        f" {between(figure.gain_low, figure.gain_high, signed=True)}."
    )


def _paired(figures: Sequence[Figure], version: str) -> str:
    columns = ("", "this bundle", f"version {version}", "gain", "95 % interval of the gain")
    return table(
        columns,
        [
            (
                f"{TITLES[figure.model]}: {figure.metric}", number(figure.ours),
                number(figure.baselines[f"version {version}"]), number(figure.gain, signed=True),
                between(figure.gain_low, figure.gain_high, signed=True),
            )
            for figure in figures
        ],
    )  # fmt: skip


def _fairness(champion: Champion, cutoff: datetime) -> str:
    above = "A gain above zero is ours, whichever way the figure runs."
    learned = datetime.fromisoformat(champion.manifest["as_of"])
    if learned <= cutoff:
        return f"{above} Neither has seen the window: version {champion.version} learned up to {learned:%Y-%m-%d}."
    return (
        f"{above} Not fair: version {champion.version} learned up to {learned:%Y-%m-%d}, so it has seen some of what"
        " came in this window, and its figures here are flattered."
    )


def _changed(ours: Mapping[str, Any], theirs: Mapping[str, Any], version: str) -> Iterator[str]:
    mine, other = dict(told(ours)), dict(told(theirs))
    names = [*mine, *(name for name in other if name not in mine)]
    differing = [name for name in names if mine.get(name) != other.get(name)]
    if differing:
        rows = [(name, other.get(name, "none"), mine.get(name, "none")) for name in differing]
        yield table(("", f"version {version}", "this bundle"), rows, texts=3)
    yield f"The same in both: {', '.join(name for name in names if name not in differing) or 'nothing'}."


def told(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Tell what a bundle was made from and how, by name."""
    cutoffs, chosen = manifest["cutoffs"], manifest["chosen"]
    yield "known by", manifest["as_of"][:10]
    yield "customers", f"{manifest['customers']:,}"
    yield "horizon", f"{manifest['horizon']['days']} days"
    yield "churn", f"by {manifest['active']['kind']}"
    yield "value", f"{manifest['value']['said']} in {manifest['currency']}"
    yield "next purchase", f"by {manifest['level']}" if manifest["level"] else "none"
    yield "learned from", f"{len(cutoffs['learn'])} cutoffs, {cutoffs['learn'][0][:10]} to {cutoffs['learn'][-1][:10]}"
    yield "tested from", cutoffs["test"][:10]
    for model, choice in chosen.items():
        yield f"{model} candidate", choice["candidate"]
        yield f"{model} level", choice["level"]
    yield "trees", tuning(manifest)
    yield "seed", str(manifest["seed"])
    yield "grade", manifest["grade"]
    yield "glossary", manifest["glossary"][:12]
    yield "code", manifest["git_commit"][:12]


def tuning(manifest: Mapping[str, Any]) -> str:
    """Say in a word whether a bundle's trees were tuned."""
    tuned = manifest.get("tuned")
    if tuned is None:
        return "default"
    return "tuned" if tuned["kept"] else "default, after a search"


def _features(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    mine, other = (_measured(manifest["contract"]) for manifest in (ours, theirs))
    found = {
        "Added": [name for name in mine if name not in other],
        "Dropped": [name for name in other if name not in mine],
        "Measured anew": [name for name in mine if name in other and mine[name] != other[name]],
    }
    if not any(found.values()):
        yield f"The same {len(mine)} features, measured the same."
        return
    yield f"{len(mine)} features, where there were {len(other)}."
    yield bullets(f"{what}: {_listed(names)}." for what, names in found.items() if names)


def _measured(contract: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    known = FeatureContract.from_dict(contract)
    return dict(zip(known.names, zip(known.units, known.hashes, strict=True), strict=True))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _own(figures: Sequence[Figure], champion: Champion) -> Iterator[str]:
    theirs = {(told["model"], told["metric"]): told for told in champion.manifest["figures"]}
    rows = [
        (
            f"{TITLES[figure.model]}: {figure.metric}", number(figure.ours), between(figure.low, figure.high),
            number(other["ours"]), between(other["low"], other["high"]),
        )
        for figure in figures
        if (other := theirs.get((figure.model, figure.metric))) is not None
    ]  # fmt: skip
    columns = ("", "this bundle", "95 % interval", f"version {champion.version}", "95 % interval")
    yield table(columns, rows)
