"""Callers in processes of their own, each asking the same desk's store for offers about the same few people."""

import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from features.errors import StoreError
from features.history import History
from serving.contact import Cap
from serving.desk import Desk
from serving.requests import Ask
from tests.desks import NOW, FakeScorer, playbook

SAID = {"en": "Enough.", "ko": "충분합니다."}
# What every caller is held to; each offer of a customer is proposed at most twice, and all of them five times.
CAPS = (
    Cap("all", 5, 7, (), (), (), (), (), False, SAID),
    Cap("each", 2, 7, (), (), (), (), (), True, SAID),
)


def desk(history: History) -> Desk:
    """A desk whose clock runs a minute each question from a moment that differs by process and thread."""
    shipped = playbook()
    careful = replace(shipped.contact, caps=CAPS, suppressions=(), attention=None, hold_minutes=1.0)
    return Desk(history, FakeScorer(), replace(shipped, contact=careful), lambda: NOW)


def asks(url: str, customers: list[str], times: int, first: int, began: Path | None = None) -> None:
    """Ask about each customer so many times; with `began`, write there which decisions were answered."""
    history = History(url)
    asking = desk(history)
    for number in range(times):
        moment = NOW + timedelta(minutes=2 * (first + number))
        asking.clock = lambda moment=moment: moment
        for customer in customers:
            try:
                body = asking.decide(Ask(customer=customer, channel="phone", offers=2))
            except StoreError as error:
                if "locked" not in str(error):
                    raise
                continue
            if began is not None:
                with began.open("a", encoding="utf-8") as answered:
                    answered.write(f"{body['decision_id']}\n")
    history.close()


def main(url: str, customers: str, threads: str, times: str, process: str, began: str) -> None:
    """Run some threads of callers in this process."""
    names = customers.split(",")
    running = [
        threading.Thread(
            target=asks,
            args=(url, names, int(times), 1_000 * int(process) + 10 * thread, Path(began) if thread == 0 else None),
        )
        for thread in range(int(threads))
    ]  # fmt: skip
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def overshot(history: History, customers: list[str]) -> tuple[int, int]:
    """Count the proposals held, and the windows of seven days in which a cap was overshot."""
    held, over = 0, 0
    window = desk(history).decider.policy.approach.window(datetime(2100, 1, 1, tzinfo=UTC), "high")
    window = replace(window, since=datetime(1970, 1, 1, tzinfo=UTC))
    for customer in customers:
        contacts = history.decisions.ledger([customer], window).contacts
        held += len(contacts)
        for cap in CAPS:
            for key in {one.offer if cap.each_offer else "" for one in contacts}:
                moments = sorted(one.held_at for one in contacts if not cap.each_offer or one.offer == key)
                over += sum(
                    sum(start <= other < start + cap.days * 86_400_000_000 for other in moments) > cap.most
                    for start in moments
                )
    return held, over


if __name__ == "__main__":
    main(*sys.argv[1:])
