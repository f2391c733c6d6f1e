from pathlib import Path

from benchmarks.faults.bundles import bundles
from benchmarks.faults.served import Place


def test_a_bundle_of_which_any_file_is_cut_or_altered_is_refused(place: Place, tmp_path: Path) -> None:
    for found in bundles(place.bundle, tmp_path, 4):
        assert found.holds, found.note
        assert found.caused > 40
