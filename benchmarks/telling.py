"""How long the glossary takes over a whole base: the same evaluator as in a decision, on two processes."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.report import Row
from benchmarks.timing import within
from features.definitions import NAMES
from features.glossary import Glossary
from features.home import home
from serving.audience import tell_all
from serving.playbook import load_playbook

_PROCESSES, _MOST_SECONDS = 2, 30.0


def terms(customers: int) -> list[Row]:
    """Tell every term of the shipped glossary of so many simulated customers."""
    glossary = load_playbook(home().playbook, NAMES).glossary
    parts = [customers // _PROCESSES] * _PROCESSES
    with ProcessPoolExecutor(_PROCESSES, get_context("spawn")) as pool:
        list(pool.map(_told, [10] * _PROCESSES, range(_PROCESSES)))
        start = perf_counter()
        list(pool.map(_told, parts, range(_PROCESSES)))
        taken = perf_counter() - start
    return [within(f"{len(glossary.terms)} terms told of {customers:,} customers, s", taken, _MOST_SECONDS)]


def _told(count: int, seed: int) -> int:
    """Draw customers' words and tell the terms of them; returns how often one holds."""
    glossary = load_playbook(home().playbook, NAMES).glossary
    random = np.random.default_rng(seed)
    columns = {word: _drawn(word, glossary, count, random) for word in glossary.words}
    return sum(holds is True for told in tell_all(glossary, columns, count).values() for holds in told)


def _drawn(word: str, glossary: Glossary, count: int, random: np.random.Generator) -> list[Any]:
    """Draw a word's values, a twentieth of them unknown."""
    sample = glossary.vocabulary.words.get(word, ("1", "2", "other"))
    options = sample if isinstance(sample, tuple) else None
    values: list[Any] = random.choice(options, count).tolist() if options else random.gamma(1, 2, count).tolist()
    unknown = random.random(count) < 0.05
    return [None if gone else value for gone, value in zip(unknown.tolist(), values, strict=True)]
