"""Every file of a bundle, cut off and with bits flipped at many places: none of it may load."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

from benchmarks.faults.found import Found
from features.errors import ContractError, RegistryError
from models.bundle import load
from models.manifest import found_hash


def bundles(bundle: Path, folder: Path, places: int = 200) -> list[Found]:
    """Cut each file at so many places, flip a bit at as many, remove it and empty it, and try to load the bundle."""
    copy = Path(copytree(bundle, folder / "bundle"))
    hashed = found_hash(copy / "manifest.json")
    cut, flipped = [0, 0], [0, 0]
    wrong: list[str] = []
    for file in sorted(path for path in copy.rglob("*") if path.is_file()):
        whole = file.read_bytes()
        for count, damaged in ((cut, _cut(whole, places)), (flipped, _flipped(whole, places))):
            for content in damaged:
                file.write_bytes(content)
                count[0] += 1
                refused = _refused(copy, hashed)
                count[1] += refused
                wrong += [] if refused else [str(file.relative_to(copy))]
        file.unlink()
        cut[0], cut[1] = cut[0] + 1, cut[1] + _refused(copy, hashed)
        file.write_bytes(whole)
    note = f"accepted: {', '.join(sorted(set(wrong)))}" if wrong else ""
    return [
        Found(fault=f"bundle's files {how}", caused=count[0], refused=count[1], wrong=count[0] - count[1], note=note)
        for how, count in (("truncated, emptied or gone", cut), ("with a bit flipped", flipped))
    ]


def _refused(bundle: Path, registered: str) -> bool:
    """Tell whether a bundle is refused: by the hash that the registry holds of its manifest, or when it is loaded."""
    if found_hash(bundle / "manifest.json") != registered:
        # The registry's own check; without it the manifest has to be refused by what it says of the files, if at all.
        return True
    try:
        load(bundle)
    except (RegistryError, ContractError):
        return True
    return False


def _cut(whole: bytes, places: int) -> Iterator[bytes]:
    for place in range(0, len(whole), max(1, len(whole) // places)):
        yield whole[:place]


def _flipped(whole: bytes, places: int) -> Iterator[bytes]:
    for number, place in enumerate(range(0, len(whole), max(1, len(whole) // places))):
        yield whole[:place] + bytes([whole[place] ^ (1 << number % 8)]) + whole[place + 1 :]
