"""How long a what-if takes: simulated customers, 50 offers, two playbooks, two processes; beside one by one.

It decides with the champion of the home, so train one before (`make demo`): `python -m benchmarks.what_if [--json]`.
"""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from time import process_time

from benchmarks.deciding import champion, many
from benchmarks.made import AS_OF, EVENTS_A_CUSTOMER, known, made
from benchmarks.report import Row, options, say
from benchmarks.timing import against, peak, within
from features.decisions import Ledger
from features.definitions import NAMES
from features.expressions import compile_rule
from features.home import home
from features.known import Known
from features.responses import Responses
from features.wordings import wordings_of
from models.effects import Effects
from serving.audience import Audience
from serving.comparing import AT_ONCE
from serving.crowd import crowd_of
from serving.encounters import Record, reasons_frame
from serving.learned import Learned
from serving.offers import Rule
from serving.playbook import Playbook, load_playbook
from serving.policy import Policy
from serving.question import Question
from serving.scorer import Chunk, Scorer
from serving.situation import Past
from serving.what_if import Tally, compare
from serving.whole_base import WholeBase

_PROCESSES, _OFFERS, _PART, _ONE_BY_ONE = 2, 50, 20_000, 1_000
_MOST_SECONDS, _MOST_GIGABYTES = 300.0, 8.0
_QUESTION = Question(AS_OF, "phone")
_DECIDING = "rules, contacts, money and counting"


class Stages:
    """Seconds of processor, added up by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = 0.0

    def begin(self) -> None:
        """Start counting."""
        self._begun = process_time()

    def end(self, stage: str) -> None:
        """Count what passed since the last stage's end."""
        now = process_time()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._begun
        self._begun = now


@dataclass(frozen=True)
class Taken:
    """What a process took for its customers: seconds of processor by stage, and the most memory, in bytes.

    `one_by_one` is the seconds that one customer takes alone; `tally` what was counted.
    """

    customers: int
    stages: Mapping[str, float]
    memory: int
    one_by_one: float
    tally: Tally

    @property
    def whole(self) -> float:
        """All stages together."""
        return sum(self.stages.values())


def rows(seeds: int, customers: int = 1_000_000) -> list[Row]:
    """Decide so many simulated customers under two playbooks, beside `Policy.arbitrate` one by one.

    Told is the processor time of the slower process, which on cores of its own is the time on the clock. What isn't
    timed is making the customers and starting the processes. `seeds` is how many bases are made.
    """
    found = [_base(customers, seed) for seed in range(1, seeds + 1)]
    slower = [max(each, key=lambda one: one.whole) for each in found]
    whole = [one.whole for one in slower]
    said = f"what-if, {customers:,} simulated customers of {EVENTS_A_CUSTOMER} events"
    road = f"{said}, {_OFFERS} offers, two playbooks, {_PROCESSES} processes, s of processor{_range(whole)}"
    memory = max(sum(one.memory for one in each) for each in found) / 1e9
    stages = [
        against(f"what-if, of these: {name}, s", seconds, slower[0].whole, None)
        for name, seconds in slower[0].stages.items()
    ]
    alone = [one.one_by_one * 1e6 for one in found[0]]
    each = [one.stages[_DECIDING] / one.customers * 1e6 for one in found[0]]
    beside = "what-if, a customer decided under both playbooks, µs of a core, beside one by one"
    return [
        within(road, max(whole), _MOST_SECONDS),
        *stages,
        within("what-if, memory of both processes, the making of customers included, GB", memory, _MOST_GIGABYTES),
        against(beside, max(each), min(alone), None),
    ]


def _range(seconds: list[float]) -> str:
    return f" ({min(seconds):.0f} to {max(seconds):.0f} over {len(seconds)} bases)" if len(seconds) > 1 else ""


def _base(customers: int, seed: int) -> list[Taken]:
    share = customers // _PROCESSES
    with ProcessPoolExecutor(_PROCESSES, get_context("spawn")) as pool:
        return list(pool.map(_decided, [share] * _PROCESSES, range(0, customers, share), [seed] * _PROCESSES))


def _decided(customers: int, first: int, seed: int) -> Taken:
    """Decide customers part by part, as a process of `holdfast simulate playbook` does."""
    scorer = champion()
    old = many(load_playbook(home().playbook, NAMES), _OFFERS, scorer)
    new = changed(old)
    bases = [WholeBase(one, _learned(one), {}) for one in (old, new)]
    clock, tally, alone = Stages(), Tally(), 0.0
    for start in range(0, customers, _PART):
        count = min(_PART, customers - start)
        base = known(made(count * EVENTS_A_CUSTOMER, first + start, seed))
        clock.begin()
        tally.update(_compared(base, scorer, bases, clock))
        alone = alone or one_by_one(base, next(scorer.chunks(base)), scorer, (old, new))
    return Taken(int(tally["customers",]), clock.seconds, peak(), alone, tally)


def _compared(base: Known, scorer: Scorer, bases: list[WholeBase], clock: Stages) -> Tally:
    """Do what `Comparer.part` does, with the clock read after each stage."""
    wordings, record, tally = wordings_of(base), Record.of(base, reasons_frame(()), ()), Tally()
    offers = [offer for one in bases for offer in one.playbook.offers]
    clock.end(_DECIDING)
    for chunk in scorer.chunks(base, AT_ONCE):
        clock.end("features, risks and values")
        crowd = crowd_of(chunk, scorer.default, wordings, offers)
        clock.end("next purchases")
        counted, _ = compare(bases[0], bases[1], crowd, record.encounters(crowd.customers), _QUESTION, wordings)
        tally.update(counted)
        clock.end(_DECIDING)
    return tally


def changed(playbook: Playbook) -> Playbook:
    """Make another playbook: every offer costs a quarter more, and asks for a little more spending."""
    text = "(features.spend_28 ?? 0) >= 5"
    rule = Rule(
        compile_rule(text, playbook.glossary.vocabulary, "here"), {"en": "Spends little.", "ko": "지출이 적습니다."}
    )
    offers = [
        replace(
            one, incentive_cost=one.incentive_cost * 1.25,
            rules={**one.rules, "suitability": (*one.rules["suitability"], rule)},
        )
        for one in playbook.offers
    ]  # fmt: skip
    return replace(playbook, offers=tuple(offers))


def _learned(playbook: Playbook) -> Learned:
    return Learned(sorted(playbook.offers, key=lambda one: one.id), playbook.experiment, Effects(), Responses())


def one_by_one(base: Known, chunk: Chunk, scorer: Scorer, playbooks: tuple[Playbook, Playbook]) -> float:
    """Time one customer under both playbooks by `Policy.arbitrate`, words and terms included, in seconds."""
    record = Record.of(base, reasons_frame(()), ())
    encounters = record.encounters(tuple(chunk.rows.customers))
    pasts: dict[int, list[Past]] = {}
    for place, past in encounters.pasts:
        pasts.setdefault(place, []).append(past)
    count, begun = min(_ONE_BY_ONE, len(chunk.rows.customers)), process_time()
    for playbook in playbooks:
        policy, learned = Policy(playbook.offers, playbook.glossary, playbook.contact), _learned(playbook)
        members = Audience(scorer, playbook.glossary).of_chunk(chunk, wordings_of(base))
        for place, member in zip(range(count), members, strict=False):
            situation = member.asked(AS_OF, _QUESTION.channel, {}, playbook.glossary)
            situation = replace(situation, past=tuple(pasts.get(place, ())))
            policy.arbitrate(situation, Ledger(), 1, learned)
    return (process_time() - begun) / count


def main() -> None:
    """Print the rows."""
    parser = options(__doc__ or "")
    parser.add_argument("--customers", type=int, default=1_000_000, help="simulated customers to decide for")
    parser.add_argument("--seeds", type=int, default=1, help="how many bases to make")
    told = parser.parse_args()
    say("What-if before launch, on simulated customers; lower is better", rows(told.seeds, told.customers), told.json)


if __name__ == "__main__":
    main()
