"""A base compared part by part under two playbooks: features, scores and both decisions, with memory for one part."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from features.decisions import Contact
from features.definitions import NAMES
from features.known import Known
from features.responses import Responses
from features.wordings import wordings_of
from models.bundle import load
from models.effects import Effects
from serving.crowd import Crowd, crowd_of
from serving.encounters import Encounters, Record
from serving.experiment import share
from serving.learned import Learned
from serving.offers import Offer
from serving.playbook import Playbook, load_playbook
from serving.question import Question
from serving.scorer import Scorer
from serving.what_if import Side, Tally, compare
from serving.whole_base import WholeBase

# Rules are told once for all who are alike: the more customers at once, the fewer for each.
AT_ONCE = 20_000


@dataclass(frozen=True)
class Job:
    """All that a process needs to compare parts: where bundle and playbooks lie, and what the store holds of contacts.

    `spent` is what owners have used of their budgets under the old playbook and the new; `sample` the share of
    customers that is decided for, drawn by `seed`.
    """

    bundle: tuple[Path, str]
    folders: tuple[Path, Path]
    question: Question
    reasons: pl.DataFrame
    contacts: tuple[Contact, ...]
    responses: Responses
    spent: tuple[Mapping[str, int], Mapping[str, int]]
    sample: float
    seed: int


class Comparer:
    """Bundle and playbooks of a job, loaded."""

    def __init__(self, job: Job) -> None:
        self._job, self.scorer = job, Scorer(load(*job.bundle))
        self.playbooks = [load_playbook(folder, NAMES) for folder in job.folders]
        made = zip(self.playbooks, job.spent, strict=True)
        effects = self.scorer.bundle.effects
        self.before, self.after = (WholeBase(one, _learned(one, effects, job.responses), spent) for one, spent in made)

    def part(self, known: Known, on_customers: Callable[[int], None]) -> tuple[Tally, pl.DataFrame]:
        """Compare everybody of a part, or a sample; returns what can be added up, and a row a customer."""
        job, everybody = self._job, known.events["customer"].unique().to_list()
        tally: Tally = Counter({("base",): len(everybody)})
        if job.sample < 1.0:
            known = known.only(one for one in everybody if share(str(job.seed), one) < job.sample)
        frames, wordings = [], wordings_of(known)
        offers = [offer for one in self.playbooks for offer in one.offers]
        for crowd, encounters in _met(self.scorer, known, job.reasons, job.contacts, wordings, offers):
            counted, frame = compare(self.before, self.after, crowd, encounters, job.question, wordings)
            tally.update(counted)
            frames.append(frame)
            on_customers(int(tally["customers",]))
        return tally, pl.concat(frames) if frames else pl.DataFrame()


def first_offers(
    scorer: Scorer, playbook: Playbook, known: Known, reasons: pl.DataFrame, question: Question
) -> dict[str, str]:  # fmt: skip
    """Name what every customer would be offered first by a bundle and a playbook, "" for nothing.

    Everybody is decided as if nobody had been approached yet; `reasons` are those of earlier declines.
    """
    base, found = WholeBase(playbook, _learned(playbook, scorer.bundle.effects, Responses()), {}), dict[str, str]()
    for crowd, encounters in _met(scorer, known, reasons, (), wordings_of(known), playbook.offers):
        side = Side.of(base, crowd, encounters, question)
        found |= zip(crowd.customers, side.first(np.ones(len(crowd), dtype=bool)), strict=True)
    return found


def _met(
    scorer: Scorer, known: Known, reasons: pl.DataFrame, contacts: tuple[Contact, ...],
    wordings: Mapping[str, Mapping[str, str]], offers: Sequence[Offer],
) -> Iterator[tuple[Crowd, Encounters]]:  # fmt: skip
    """Score everybody, some thousands at a time, with what went before with them."""
    record = Record.of(known, reasons, contacts)
    for chunk in scorer.chunks(known, AT_ONCE):
        crowd = crowd_of(chunk, scorer.default, wordings, offers)
        yield crowd, record.encounters(crowd.customers)


def effects_of(job: Job, playbook: Playbook) -> list[str]:
    """Say of each of a playbook's offers where its effect is from."""
    return _learned(playbook, load(*job.bundle).effects, job.responses).told


def _learned(playbook: Playbook, effects: Effects, responses: Responses) -> Learned:
    offers = sorted(playbook.offers, key=lambda offer: offer.id)
    return Learned(offers, playbook.experiment, effects, responses)
