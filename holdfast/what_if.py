"""`holdfast simulate playbook`: the whole base decided under the old playbook and the new, before launch."""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl
import typer

from features.archive import ROWS_A_PART, Archive, completed
from features.decisions import Ledger, Window
from features.errors import InputError
from features.events import CHANNELS
from features.history import History
from features.home import home
from features.responses import Responses
from holdfast.parts import archived
from holdfast.places import opened
from holdfast.playbooks import playbook_of
from holdfast.screen import AsJson, Tick, bars, say_json

if TYPE_CHECKING:
    from serving.comparing import Comparer, Job
    from serving.playbook import Playbook
    from serving.what_if import Tally

_COMPARER: "Comparer | None" = None


def playbook(  # noqa: PLR0913, PLR0917 - each option of a command is an argument
    new: Annotated[Path, typer.Argument(help="The new playbook's folder.")],
    against: Annotated[Path | None, typer.Option(help="The old playbook's folder; this home's by default.")] = None,
    channel: Annotated[str, typer.Option(help="Where everybody is imagined to get in touch.")] = "phone",
    offers: Annotated[int, typer.Option(min=1, max=20, help="How many offers at most.")] = 1,
    sample: Annotated[float, typer.Option(help="The share of customers to decide for, above 0 and up to 1.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The seed by which a sample is drawn.")] = 7,
    workers: Annotated[int, typer.Option(min=1, help="How many processes, where the history is large.")] = 2,
    to: Annotated[Path | None, typer.Option("--out", help="A Parquet file to write, a row a customer.")] = None,
    picture: Annotated[Path | None, typer.Option(help="An SVG file to draw to.")] = None,
    least_gain: Annotated[float | None, typer.Option(help="Gate: the expected profit must rise by this much.")] = None,
    most_losing: Annotated[
        float | None, typer.Option(help="Gate: the share of customers expected to bring less, at most.")
    ] = None,
    least_ratio: Annotated[
        float | None, typer.Option(help="Gate: no group's ratio to the others surely below this, such as 0.8.")
    ] = None,
    most_budget: Annotated[
        float | None, typer.Option(help="Gate: the share of a budget of attention asked for, at most.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide the whole base under the old playbook and a new one, and tell what changes: nobody is offered anything.

    Everybody is decided alone, greedily and by the ledger as it stands, as if they got in touch now over one channel.
    Profit is what models and stated or learned effects expect; nothing is measured. The status is 1 when a gate fails.

    Example: holdfast simulate playbook drafts/spring --least-gain 0 --picture spring.svg
    """
    from serving.question import Question
    from serving.what_if_figures import Gate

    _check(channel, sample, to, picture)
    folders = (against or home().playbook, new)
    playbooks = dict(zip(("before", "after"), map(playbook_of, folders), strict=True))
    with bars() as tick, opened() as (_, history, clock):
        as_of = clock()
        question = Question(as_of, channel, offers)
        job = _job(history, folders, playbooks, question, sample, seed)
        tally, frame = _compared(history, job, as_of, workers, tick)
    if not tally["customers",]:
        raise InputError("expected customers to decide for, found none; ingest some history, or draw a larger sample")
    answer = _answer(tally, playbooks, job, Gate(least_gain, most_losing, least_ratio, most_budget))
    _write(answer, frame, to, picture)
    if as_json:
        say_json(answer)
    else:
        from holdfast.what_if_screen import show

        show(answer)
    if not answer["gate"]["passed"]:
        raise typer.Exit(1)


def _check(channel: str, sample: float, *files: Path | None) -> None:
    """Refuse what can't be meant before minutes are spent on it.

    Raises InputError.
    """
    if channel not in CHANNELS:
        raise InputError(f"expected --channel to be one of {', '.join(CHANNELS)}; found {channel!r}")
    if not 0.0 < sample <= 1.0:
        raise InputError(f"expected --sample as a share above 0 and up to 1, found {sample:g}")
    for file in files:
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise InputError(f"expected a file in a folder that is there, found {file}")


def _job(
    history: History, folders: tuple[Path, Path], playbooks: "Mapping[str, Playbook]", question: Any, sample: float,
    seed: int,
) -> "Job":  # fmt: skip
    from serving.bundle import fetch
    from serving.comparing import Job
    from serving.encounters import reasons_frame

    ledgers = [_ledger(history, one, question.as_of) for one in playbooks.values()]
    longest = max(ledgers, key=lambda one: len(one.contacts))
    return Job(
        bundle=fetch(home()), folders=folders, question=question,
        reasons=reasons_frame(history.reasons(question.as_of)), contacts=longest.contacts,
        responses=history.decisions.responses(Responses()), spent=(ledgers[0].spent, ledgers[1].spent),
        sample=sample, seed=seed,
    )  # fmt: skip


def _ledger(history: History, playbook: "Playbook", as_of: datetime) -> Ledger:
    """Look at everybody's contacts as far back as a policy looks, and at what its owners have spent."""
    policy, attention = playbook.contact, playbook.contact.attention
    since = as_of - timedelta(days=policy.longest_days)
    limited = (attention.tiers, attention.days) if attention else ((), 0)
    return history.decisions.everybody(Window(since, as_of, *limited))


def _compared(
    history: History, job: "Job", as_of: datetime, workers: int, tick: Tick
) -> "tuple[Tally, pl.DataFrame]":  # fmt: skip
    """Compare at once what is small, and part by part, each process its parts, what is large."""
    if sum(history.counts().values()) <= ROWS_A_PART:
        from serving.comparing import Comparer

        known = history.known_by(as_of)
        customers = known.events["customer"].n_unique()
        return Comparer(job).part(known, lambda done: tick("Customers decided for", done, customers))
    tally: Tally = Counter()
    frames = []
    with archived(None, as_of.isoformat(), tick) as (archive, at), _pool(job, workers) as pool:
        parts = [pool.submit(_part, archive.folder, name, at) for name in archive.events]
        for done, part in enumerate(as_completed(parts), start=1):
            counted, frame = part.result()
            tally.update(counted)
            frames.append(frame)
            tick("Parts decided", done, len(parts))
    return tally, pl.concat([one for one in frames if len(one)])


@contextmanager
def _pool(job: "Job", workers: int) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(workers, get_context("spawn"), _prepare, (job,)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _prepare(job: "Job") -> None:
    global _COMPARER  # noqa: PLW0603 - a process loads the bundle once, whatever number of parts it is given
    from serving.comparing import Comparer

    _COMPARER = Comparer(job)


def _part(folder: Path, name: str, at: datetime) -> "tuple[Tally, pl.DataFrame]":
    assert _COMPARER is not None
    return _COMPARER.part(Archive.open(folder).part(name, at), lambda done: None)


def _answer(tally: "Tally", playbooks: "Mapping[str, Playbook]", job: "Job", gate: Any) -> dict[str, Any]:
    """Put the figures together for JSON."""
    from serving import what_if_figures as figures
    from serving.comparing import effects_of
    from serving.learned import summary
    from serving.playbook_changes import changes, untrained

    old, new = playbooks["before"], playbooks["after"]
    scale = float(tally["base",]) / float(tally["customers",])
    profits = {name: figures.profit(tally, name, scale) for name in ("before", "after", "gain")}
    beside = figures.groups(tally)
    spent = dict(zip(playbooks, job.spent, strict=True))
    used = figures.budgets(tally, playbooks, spent, scale)
    losing = float(tally["worse",]) / float(tally["customers",])
    checks = gate.checks(profits["gain"], losing, beside, used)
    return {
        "simulated": True, "as_of": job.question.as_of.isoformat(), "channel": job.question.channel,
        "offers_at_most": job.question.offers, "currency": new.glossary.currency,
        "playbooks": {name: one.hash for name, one in playbooks.items()},
        "customers": round(tally["base",]), "decided": round(tally["customers",]),
        "same": not tally["moved",] and not changes(old, new),
        "changes": changes(old, new), "needs_training": untrained(old, new),
        "moved": round(scale * tally["moved",]), "silenced": round(scale * tally["silenced",]),
        "silent": {name: round(scale * tally["silent", name]) for name in playbooks},
        "losing": losing, "profit": {name: asdict(one) for name, one in profits.items()},
        "interval": figures.COVERS, "effects": summary(said for one in (old, new) for said in effects_of(job, one)),
        "offers": figures.offer_rows(tally, scale), "contact": figures.caps(tally, scale), "attention": used,
        "load": figures.load(tally, playbooks, job.question.channel, scale),
        "groups": [asdict(one) | {"below": one.below} for one in beside],
        "gate": {"passed": all(one["holds"] for one in checks), "checks": checks},
    }  # fmt: skip


def _write(answer: Mapping[str, Any], frame: pl.DataFrame, to: Path | None, picture: Path | None) -> None:
    if to is not None:
        with completed(to) as made:
            frame.write_parquet(made)
    if picture is not None:
        from holdfast.what_if_picture import drawn

        with completed(picture) as made:
            made.write_text(drawn(answer), encoding="utf-8")
