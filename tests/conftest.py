from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from features.history import History

settings.register_profile(
    "holdfast",
    deadline=None,
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("holdfast")


@pytest.fixture
def new_history(tmp_path: Path) -> Iterator[Callable[[], History]]:
    """Each call opens another empty store."""
    made: list[History] = []
    numbers = count()

    def make() -> History:
        made.append(History(f"sqlite:///{tmp_path / f'{next(numbers)}.db'}"))
        return made[-1]

    yield make
    for history in made:
        history.close()


@pytest.fixture
def history(new_history: Callable[[], History]) -> History:
    return new_history()
