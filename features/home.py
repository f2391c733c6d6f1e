"""Where Holdfast runs: its folders, its store and its clock, all from the environment."""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from features.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
CLOCKS = ("live", "history")
# A file of SQLite's that isn't named whole; what is in memory, or SQLite's own sort of address, isn't one.
_RELATIVE = re.compile(r"(sqlite(?:\+\w+)?:///)(?![/:?]|file:)([^?]+)(.*)")


@dataclass(frozen=True)
class Home:
    """One installation's places.

    `HOLDFAST_HOME` moves `data/` and `mlruns/` (the project's own folder by default),
    `HOLDFAST_PLAYBOOK` the playbook, `HOLDFAST_DATABASE_URL` the store, `MLFLOW_TRACKING_URI` the registry, and
    `HOLDFAST_CLOCK` chooses between "live" and "history" (one second after the newest thing recorded).
    `HOLDFAST_ERASURE_KEY` is the file of the secret that erased references are hashed with. Files that aren't named
    whole are those of the folder in which the environment is read.
    """

    folder: Path
    playbook: Path
    database_url: str
    clock: str
    registry_url: str = ""
    key_file: str = ""

    @property
    def data(self) -> Path:
        """The folder of everything that Holdfast writes, except MLflow's."""
        return self.folder / "data"

    @property
    def health_metrics(self) -> Path:
        """What `holdfast health` leaves for Prometheus, which the service and node_exporter tell."""
        return self.data / "health" / "holdfast_health.prom"

    @property
    def mlruns(self) -> Path:
        """MLflow's embedded home: its database and its artifacts."""
        return self.folder / "mlruns"

    @property
    def erasure_key(self) -> Path:
        """The file of the secret that erased references are hashed with, beside the store and never in it."""
        return Path(self.key_file or self.data / "erasure.key").resolve()

    @property
    def places(self) -> dict[str, str]:
        """The environment by which a process finds this home from whatever folder it runs in."""
        return {
            "HOLDFAST_HOME": str(self.folder),
            "HOLDFAST_PLAYBOOK": str(self.playbook),
            "HOLDFAST_DATABASE_URL": self.database_url,
            "HOLDFAST_ERASURE_KEY": str(self.erasure_key),
            "MLFLOW_TRACKING_URI": self.registry_url,
        }

    @property
    def tracking_uri(self) -> str:
        """MLflow's address: SQLite inside `mlruns/` by default."""
        return self.registry_url or f"sqlite:///{self.mlruns / 'mlflow.db'}"

    def set_clock(self, clock: str) -> None:
        """Keep this home's clock, for every later command."""
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / "home.toml").write_text(f'clock = "{clock}"\n', encoding="utf-8")


def home() -> Home:
    """Read the environment."""
    folder = _fit(Path(os.environ.get("HOLDFAST_HOME") or ROOT).resolve(), "a home")
    database = _whole(os.environ.get("HOLDFAST_DATABASE_URL") or f"sqlite:///{folder / 'data' / 'history.db'}")
    clock = os.environ.get("HOLDFAST_CLOCK") or _kept_clock(folder)
    if clock not in CLOCKS:
        raise InputError(f"expected the clock to be one of {', '.join(CLOCKS)}, found {clock!r}; set HOLDFAST_CLOCK")
    playbook = Path(os.environ.get("HOLDFAST_PLAYBOOK") or ROOT / "playbook").resolve()
    registry, key = (os.environ.get(name, "") for name in ("MLFLOW_TRACKING_URI", "HOLDFAST_ERASURE_KEY"))
    return Home(folder, playbook, database, clock, _whole(registry), str(Path(key).resolve()) if key else "")


def _whole(address: str) -> str:
    """Name SQLite's file whole, as seen from this folder: workers run in another. Other addresses stay as they are."""
    found = _RELATIVE.fullmatch(address)
    return address if found is None else f"{found[1]}{_fit(Path(found[2]).resolve(), 'a store')}{found[3]}"


def _fit(place: Path, what: str) -> Path:
    if odd := set(str(place)) & set("?#%"):
        raise InputError(f"expected {what} whose path can stand in a database's address, found {min(odd)!r} in {place}")
    return place


def _kept_clock(folder: Path) -> str:
    kept = folder / "data" / "home.toml"
    if not kept.exists():
        return "live"
    try:
        return str(tomllib.loads(kept.read_text(encoding="utf-8")).get("clock", "live"))
    except ValueError as error:
        raise InputError(
            f'expected TOML such as clock = "live" in {kept}, found: {error}; mend or remove it'
        ) from error
