"""All faults at volume: `python -m benchmarks.faults [--only NAME …] [--scale 0.1] [--json]`.

A small home of real households is made first, then broken in every way that docs/reliability.md
tells of; its counts are from here. A real service of two workers on loopback, in nearly all of them.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.faults.bodies import bodies
from benchmarks.faults.bundles import bundles
from benchmarks.faults.clocks import clocks
from benchmarks.faults.databases import databases
from benchmarks.faults.disks import full_disk, no_growth
from benchmarks.faults.documents import documents
from benchmarks.faults.found import Found, say
from benchmarks.faults.injections import injections
from benchmarks.faults.kills import kills
from benchmarks.faults.malformed import MOST, malformed
from benchmarks.faults.registries import registries
from benchmarks.faults.served import Place, aside, running, trained
from benchmarks.faults.sockets import sockets
from benchmarks.faults.trainings import trainings
from benchmarks.postgres import running as postgres
from benchmarks.report import options

Cause = Callable[[Place, Path, float], Sequence[Found]]


def main() -> None:
    """Cause the faults that were asked for, all unless some are named, and print what was found."""
    parser = options(__doc__ or "")
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS), help="which faults")
    parser.add_argument("--scale", type=float, default=1.0, help="how often, as a share of the volume in the docs")
    told = parser.parse_args()
    found: list[Found] = []
    with TemporaryDirectory(prefix="faults-") as folder, aside():
        place = trained(Path(folder) / "home")
        for name in told.only:
            (Path(folder) / name).mkdir()
            found += FAULTS[name](place, Path(folder) / name, told.scale)
            print(*found, sep="\n", file=sys.stderr, flush=True)
    say(found, told.json)
    raise SystemExit(not all(one.holds for one in found))


def _times(most: int, scale: float) -> int:
    return max(1, round(most * scale))


def _kills(place: Place, folder: Path, scale: float) -> Sequence[Found]:
    return kills(place, folder, _times(20, scale), _times(10, scale))


def _databases(place: Place, folder: Path, scale: float) -> Sequence[Found]:
    with postgres() as server:
        of_service = kills(place, folder / "kills", _times(10, scale), _times(5, scale), server.url())
        return [*of_service, *databases(place, folder, server, _times(10, scale))]


def _disks(place: Place, folder: Path, scale: float) -> Sequence[Found]:
    return [full_disk(place, folder, _times(10, scale)), no_growth(place, folder, _times(10, scale))]


def _requests(place: Place, folder: Path, scale: float) -> Sequence[Found]:
    with ExitStack() as stack:
        service = stack.enter_context(running(place.copied(folder)))
        found = [*bodies(service.url), *sockets(service.url, seconds=20 * scale, half=_times(1_000, scale))]
        found += [injections(service.url, service.place)]
        return [*found, malformed(service.url, service.place, _times(MOST, scale))]


def _documents(place: Place, folder: Path, scale: float) -> Sequence[Found]:
    with running(place.copied(folder)) as service:
        return [documents(service.url, folder, _times(400, scale))]


FAULTS: dict[str, Cause] = {
    "kills": _kills,
    "databases": _databases,
    "disks": _disks,
    "requests": _requests,
    "documents": _documents,
    "bundles": lambda place, folder, scale: bundles(place.bundle, folder, _times(500, scale)),
    "registries": lambda place, folder, scale: registries(place, folder, 10 * scale),
    "trainings": lambda place, folder, scale: trainings(place, folder, _times(3, scale)),
    "clocks": lambda place, folder, scale: [clocks(place, folder, _times(3_000, scale))],
}

if __name__ == "__main__":
    main()
