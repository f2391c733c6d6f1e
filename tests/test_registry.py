import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from features.home import Home
from training import registry


def place(folder: Path) -> Home:
    return Home(folder, folder, "", "live")


def test_a_first_opening_that_is_killed_leaves_nothing_that_bars_the_next(tmp_path: Path):
    """MLflow's database is made in dozens of steps; killed among them, it would never open again."""
    code = (
        "from pathlib import Path; from features.home import Home; from training import registry;"
        f"p = Path({str(tmp_path)!r}); registry.champion(Home(p, p, '', 'live'))"
    )
    for patience in (0.0, 0.1):
        killed = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        while not list(tmp_path.glob("mlruns/*/mlflow.db")) and killed.poll() is None:
            time.sleep(0.01)
        time.sleep(patience)
        assert killed.poll() is None, "it ended before it could be killed"
        killed.kill()
        killed.wait()
        assert not (tmp_path / "mlruns" / "mlflow.db").exists()
    assert registry.champion(place(tmp_path)) is None
    assert registry.versions(place(tmp_path)) == []


def test_a_registry_that_is_there_is_taken_as_it_is(tmp_path: Path):
    registry.champion(place(tmp_path))
    database = tmp_path / "mlruns" / "mlflow.db"
    before = database.stat().st_ino
    registry.champion(place(tmp_path))
    assert database.stat().st_ino == before
    with sqlite3.connect(database) as opened:
        assert opened.execute("SELECT name FROM registered_models").fetchall() == [("holdfast",)]
    opened.close()
