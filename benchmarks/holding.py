"""Whether a cap is ever overshot: many callers in several processes, all after the same few people's attention."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from benchmarks.report import Row
from benchmarks.timing import none
from features.clock import DAY
from features.decisions import Contact, Window
from features.definitions import NAMES
from features.history import History
from features.home import home
from serving.approach import Approach
from serving.contact import Cap
from serving.playbook import load_playbook
from serving.scores import Scores, Worth
from serving.situation import Situation

PROCESSES, THREADS, PEOPLE = 4, 16, 40
_START = datetime(2024, 1, 1, tzinfo=UTC)
_SAID = {"en": "Enough.", "ko": "충분합니다."}
CAPS = (
    Cap("all", 8, 7, (), (), (), (), (), False, _SAID),
    Cap("each", 2, 14, (), (), (), (), (), True, _SAID),
    Cap("calls", 4, 7, (), (), (), ("phone",), (), False, _SAID),
)


_SCORES = Scores(0.5, 10.0, 5.0, 20.0, "margin", Worth("margin", 10.0), "high", (), 28, 56)


def caps(work: Path, reservations: int, url: str = "") -> list[Row]:
    """Let 64 callers in four processes ask for proposals, and count the windows in which a cap was overshot.

    On SQLite in a folder, or in an empty store at `url`.
    """
    work.mkdir(parents=True, exist_ok=True)
    url, where = url or f"sqlite:///{work / 'caps.db'}", "PostgreSQL, " if url else ""
    History(url).close()
    each = -(-reservations // (PROCESSES * THREADS))
    context = get_context("spawn")
    running = [context.Process(target=_calling, args=(url, number, each)) for number in range(PROCESSES)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    if any(one.exitcode for one in running):
        raise RuntimeError("expected every process of callers to end well, found one that didn't")
    history = History(url)
    held = [contact for person in range(PEOPLE) for contact in _held(history, person)]
    over = sum(_overshot([one for one in held if one.reference == f"customer:{person}"]) for person in range(PEOPLE))
    history.close()
    asked = each * PROCESSES * THREADS
    return [none(f"{where}caps overshot, of {asked:,} proposals asked for by 64 callers ({len(held):,} granted)", over)]


def _calling(url: str, process: int, each: int) -> None:
    """Run this process's callers until each has asked so often."""
    history = History(url)
    playbook = load_playbook(home().playbook, NAMES)
    approach = Approach(replace(playbook.contact, caps=CAPS, attention=None, hold_minutes=1.0), playbook.offers)
    with ThreadPoolExecutor(THREADS) as pool:
        asking = [
            pool.submit(_asking, history, approach, process * THREADS + thread, each) for thread in range(THREADS)
        ]
    for caller in asking:
        caller.result()
    history.close()


def _asking(history: History, approach: Approach, caller: int, each: int) -> None:
    """Ask for one proposal after the other as a decision does: look, choose what the policy leaves, and write."""
    for number in range(each):
        person, place = f"customer:{(caller + number) % PEOPLE}", number % len(approach.offers)
        # Two months, so that room comes free again; callers run at odds with each other's clocks.
        at = _START + timedelta(minutes=60 * 24 * 60 * number / each + caller % 7)
        channel = ("phone", "web", "app")[number % 3]
        situation = Situation(at, channel, _SCORES, {})
        with history.decisions.making([person], approach.window(at, "high")) as making:
            allowance, offer = approach.allowance(situation, making.ledger), approach.offers[place]
            if offer.owed or allowance.stopped(place) is None:
                contact, new = allowance.contact(offer, f"d-{caller}-{number}", person)
                making.write(f"d-{caller}-{number}", person, at, "{}", [contact] if contact and new else [])


def _held(history: History, person: int) -> tuple[Contact, ...]:
    window = Window(datetime(1970, 1, 1, tzinfo=UTC), _START)
    return history.decisions.ledger([f"customer:{person}"], window).contacts


def _overshot(contacts: list[Contact]) -> int:
    """Count the moments from which on a cap's window holds more proposals than the cap allows."""
    over = 0
    for cap in CAPS:
        for key in {one.offer if cap.each_offer else "" for one in contacts}:
            moments = sorted(
                one.held_at
                for one in contacts
                if (not cap.each_offer or one.offer == key) and cap.fits(one.offer, one.group, one.kind, one.channel)
            )
            for start in range(len(moments) - cap.most):
                over += moments[start + cap.most] - moments[start] < cap.days * DAY
    return over
