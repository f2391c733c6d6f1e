"""The two stores side by side: pace, caps, and what a kill loses: `python -m benchmarks.stores [--json]`.

Callers decide as the service does, but without models: what is timed is the store. PostgreSQL is a real one, from a
wheel, on this machine, with its own settings: every commit waits for the disk, as SQLite's does. Customers are made up.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.holding import caps
from benchmarks.postgres import Server, running
from benchmarks.report import Row, options, say
from benchmarks.timing import against, none
from features.decisions import HELD, Contact, Window
from features.errors import StoreError
from features.history import History

PROCESSES, THREADS = 4, 4
_AT = datetime(2024, 1, 1, tzinfo=UTC)
_WINDOW = Window(_AT - timedelta(days=30), _AT)
# As long as a decision is in the shipped playbook.
_BODY = "{" + " " * 24_000 + "}"
_SPAWN = get_context("spawn")
_PATIENCE_SECONDS = 120.0


def main() -> None:
    """Run all sections, and print their rows."""
    parser = options(__doc__ or "")
    parser.add_argument("--decisions", type=int, default=4_000, help="decisions to time on each store")
    parser.add_argument("--reservations", type=int, default=20_000, help="proposals to ask for under caps")
    parser.add_argument("--kills", type=int, default=20, help="kills of each kind")
    told = parser.parse_args()
    with TemporaryDirectory() as folder, running() as server:
        work = Path(folder)
        rows = [*pace(work, server, told.decisions), *caps(work, told.reservations, server.url())]
        rows += killed(work, server, told.kills)
    say("Stores: PostgreSQL beside SQLite, on made-up customers", rows, told.json)


def pace(work: Path, server: Server, decisions: int) -> list[Row]:
    """Time decisions of one caller, and of sixteen in four processes about as many customers."""
    urls = (f"sqlite:///{work / 'pace.db'}", server.url())
    lite, real = (_alone(url, decisions // 4) for url in urls)
    together = [_together(url, decisions) for url in urls]
    return [
        against("the store's part of a decision, one caller, PostgreSQL against SQLite, ms", real, lite, None),
        against("decisions a second, 16 callers, PostgreSQL against SQLite", together[1], together[0], None),
    ]


def killed(work: Path, server: Server, kills: int) -> list[Row]:
    """Kill callers, and then the server, in the middle of their work, and count answered decisions that are gone."""
    url, rows = server.url(), []
    for name, where in (("SQLite", f"sqlite:///{work / 'killed.db'}"), ("PostgreSQL", url)):
        rows.append(_lost(f"{name}, the caller killed", where, kills, lambda caller: caller.kill()))
    return [*rows, _lost("PostgreSQL, the server killed", url, kills, lambda caller: _restart(server, caller))]


def _alone(url: str, decisions: int) -> float:
    history = History(url)
    _decide(history, "warm", 50)
    begun = perf_counter()
    _decide(history, "alone", decisions)
    taken = 1000 * (perf_counter() - begun) / decisions
    history.close()
    return taken


def _together(url: str, decisions: int) -> float:
    each, ready = decisions // (PROCESSES * THREADS), _SPAWN.Barrier(PROCESSES + 1)
    callers = [_SPAWN.Process(target=_calling, args=(url, number, each, ready)) for number in range(PROCESSES)]
    for one in callers:
        one.start()
    ready.wait(_PATIENCE_SECONDS)
    begun = perf_counter()
    for one in callers:
        one.join()
    if any(one.exitcode for one in callers):
        raise RuntimeError("expected every process of callers to end well, found one that didn't")
    return each * PROCESSES * THREADS / (perf_counter() - begun)


def _calling(url: str, process: int, each: int, ready: Barrier) -> None:
    history = History(url)
    ready.wait(_PATIENCE_SECONDS)
    with ThreadPoolExecutor(THREADS) as pool:
        asking = [pool.submit(_decide, history, f"{process}-{thread}", each) for thread in range(THREADS)]
    for caller in asking:
        caller.result()
    history.close()


def _decide(history: History, name: str, count: int, told: Callable[[str], None] = lambda decision: None) -> None:
    """Decide about one customer after the other, each holding a contact, and tell of each once it is answered."""
    for number in range(count):
        decision, customer = f"d-{name}-{number}", f"customer:{name}-{number}"
        held = Contact(
            f"{decision}/it",
            decision,
            customer,
            "it",
            "",
            "",
            "us",
            "phone",
            f"tier {name}",
            HELD,
            int(_AT.timestamp()),
        )
        with history.decisions.making([customer], _WINDOW) as making:
            making.write(decision, customer, _AT, _BODY, [held])
        told(decision)


def _lost(what: str, url: str, kills: int, kill: "Callable[[_Caller], object]") -> Row:
    history, answered = History(url), 0
    lost = 0
    for number in range(kills):
        caller = _Caller(url, f"{what}-{number}")
        seen = [caller.answers.recv() for _ in range(20 + number)]
        kill(caller)
        seen += caller.rest()
        kept = set(history.decisions.ids())
        answered, lost = answered + len(seen), lost + len(set(seen) - kept)
    history.close()
    return none(f"answered decisions lost, of {answered:,}: {what} {kills} times", lost)


class _Caller:
    """A process that decides without end, until it or its store is killed."""

    def __init__(self, url: str, name: str) -> None:
        self.answers, theirs = _SPAWN.Pipe(duplex=False)
        self._process = _SPAWN.Process(target=_endless, args=(url, name, theirs))
        self._process.start()
        theirs.close()

    def kill(self) -> None:
        self._process.kill()

    def rest(self) -> list[str]:
        """Hear what it still had to tell, and let go of it."""
        found = []
        try:
            while True:
                found.append(self.answers.recv())
        except EOFError:
            self._process.join()
            return found


def _endless(url: str, name: str, answers: Connection) -> None:
    history = History(url)
    try:
        _decide(history, name, 1_000_000, answers.send)
    except StoreError:
        answers.close()


def _restart(server: Server, caller: _Caller) -> None:
    server.kill()
    server.start()


if __name__ == "__main__":
    main()
