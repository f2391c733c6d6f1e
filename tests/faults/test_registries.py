"""What is the matter with a registry is said in one message, and what to do."""

from pathlib import Path

import pytest

from benchmarks.faults.registries import overwritten, spoiled
from benchmarks.faults.served import Place
from features.errors import RegistryError
from training.registry import promote


def test_a_registry_that_is_no_sound_database_is_told(place: Place, tmp_path: Path) -> None:
    copied = place.whole(tmp_path)
    for way in (spoiled, overwritten):
        with (
            way(copied.home.mlruns / "mlflow.db"),
            pytest.raises(
                RegistryError, match=r"expected a registry at .*; found: (database disk image|file is not a)"
            ),
        ):
            promote(copied.home, "1")
