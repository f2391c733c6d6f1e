from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.faults.served import Place, Running, bundle_of, running


@pytest.fixture(scope="session")
def place(trained: Any) -> Place:
    """The home with a champion, by this machine's own clock; break copies of it alone."""
    home, _, _ = trained
    return Place(replace(home, clock="live"), bundle_of(home))


@pytest.fixture(scope="session")
def service(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A real service of two workers over a copy, which has to survive whatever is done to it."""
    with running(place.copied(tmp_path_factory.mktemp("service"))) as started:
        yield started
