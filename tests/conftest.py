import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import lightgbm  # noqa: F401 - whole, since a service started in this process would leave out what peers need
import pytest
from hypothesis import HealthCheck, settings

from benchmarks.postgres import Server, running
from features.clock import after_history
from features.history import History
from features.home import ROOT, Home
from holdfast import ingesting, learning, sample
from serving import run
from tests import desks, servers

_OPEN_AT_ONCE = 20

settings.register_profile(
    "holdfast",
    deadline=None,
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("holdfast")


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow leaves the address of the last registry in the environment, where the next home would take it from."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(autouse=True)
def pinned_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is opened in a test serves what it is given: only those that say so follow a registry."""
    monkeypatch.setenv("HOLDFAST_BUNDLE", "nothing")


@pytest.fixture(scope="session")
def small_cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of 120 real households."""
    return sample.cut(tmp_path_factory.mktemp("cut"), 120)


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, small_cut: Path
) -> Iterator[tuple[Home, History, dict[str, Any]]]:
    """A home with 120 real households and a champion; read it, and write nothing to it."""
    folder = tmp_path_factory.mktemp("home")
    place = Home(folder, ROOT / "playbook", f"sqlite:///{folder / 'data' / 'history.db'}", "history")
    history = History(place.database_url)
    quiet = lambda name, done, total: None  # noqa: E731
    ingesting.take(place, history, [small_cut], sample.SOURCE, quiet)
    made = learning.make_bundle(place, history, after_history(history.newest)(), 7, 1, quiet)
    yield place, history, made
    history.close()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    # PySpark takes seconds to import, and few tests need it.
    from features.spark import open_spark

    session = open_spark("local[2]", tmp_path_factory.mktemp("spark"))
    # Compiling takes longer than so little data.
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL for all tests, skipped only where none can be started; in CI one can."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running())
        except Exception as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no PostgreSQL can be started from the wheel here: {error}")
        server.spare_the_disk()
        yield server


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[run.Server, Home]]:
    """A real server of two workers over a small store, for all tests that only ask it."""
    here = servers.home_at(tmp_path_factory.mktemp("watched"))
    history = desks.stocked(History(here.database_url))
    history.close()
    with servers.serving(here, workers=2) as server:
        yield server, here


@pytest.fixture
def engine() -> str:
    """The engine that stores are made on; a module whose tests are to pass on both says `ENGINES = BOTH`."""
    return "sqlite"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    engines = getattr(metafunc.module, "ENGINES", ())
    if engines and "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", engines)


@pytest.fixture
def new_url(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Each call names another store, which isn't there yet."""
    if engine == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        return server.url
    numbers = count()
    return lambda: f"sqlite:///{tmp_path / f'{next(numbers)}.db'}"


@pytest.fixture
def new_history(new_url: Callable[[], str]) -> Iterator[Callable[[], History]]:
    """Each call opens another empty store."""
    made: list[History] = []

    def make() -> History:
        made.append(History(new_url()))
        # A server has a hundred connections; a history that was closed opens again when it is asked.
        if len(made) > _OPEN_AT_ONCE:
            made[-_OPEN_AT_ONCE].close()
        return made[-1]

    yield make
    for history in made:
        history.close()


@pytest.fixture
def history(new_history: Callable[[], History]) -> History:
    return new_history()
