"""A worker keeps to one core only where an operator says so."""

import os
import subprocess
import sys

import pytest

from features.home import ROOT
from serving.cores import PIN, keep_to_one

# Elsewhere (macOS) there is no call for it; that a worker is left as it is then, is tested anywhere.
linux = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux keeps a process to a core")
SAID = "print(*os.sched_getaffinity(0))"
KEPT = f"import os, sys; from serving.cores import keep_to_one; keep_to_one(int(sys.argv[1])); {SAID}"
STARTED = f"import os; from serving.cores import spread; spread(); {SAID}"


def kept(worker: int, pin: str, code: str = KEPT) -> set[int]:
    environment = {**os.environ, PIN: pin}
    command = [sys.executable, "-c", code, str(worker)]
    said = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {int(core) for core in said.splitlines()[-1].split()}


@linux
def test_workers_keep_to_one_core_after_the_other_and_begin_again_with_the_first() -> None:
    cores = sorted(os.sched_getaffinity(0))
    assert [kept(worker, "1") for worker in (1, 2, len(cores) + 1)] == [{cores[0]}, {cores[1 % len(cores)]}, {cores[0]}]


@linux
def test_a_worker_uses_every_core_unless_told_otherwise() -> None:
    assert kept(1, "") == os.sched_getaffinity(0)


@linux
def test_what_a_worker_starts_beside_it_uses_every_core_again() -> None:
    start = f"import subprocess; subprocess.run([sys.executable, '-c', {STARTED!r}], check=True)"
    both = f"{KEPT}; sys.stdout.flush(); {start}"
    assert kept(1, "1", both) == os.sched_getaffinity(0)


def test_where_the_system_cannot_a_worker_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    monkeypatch.setenv(PIN, "1")
    before = dict(os.environ)
    keep_to_one(1)
    assert os.environ == before
