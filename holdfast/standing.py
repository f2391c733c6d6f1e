"""What `holdfast doctor` looks at of an installation: store, clock, keys, backups, playbook, bundle, service."""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import httpx

from features.clock import live
from features.errors import HoldfastError, InputError, PlaybookError, StoreError
from features.home import Home
from features.revisions import REVISION
from features.soundness import Soundness, examine
from features.unfinished import begun
from holdfast.diagnosis import BAD, GOOD, POOR, Said
from holdfast.finishing import folder_of
from holdfast.machine import MEGABYTE

_LARGE_LOG = 256 * MEGABYTE
_TOLERANCE = timedelta(minutes=5)
_DAY_SECONDS = 86_400.0
_BACKUP_DAYS, _HEALTH_DAYS = 1.5, 8.0


class Looked:
    """The store, looked at once for all that is asked of it."""

    def __init__(self, place: Home) -> None:
        self._place = place

    @cached_property
    def _found(self) -> Soundness:
        return examine(self._place.database_url, REVISION)

    def store(self) -> Said:
        """Look whether the store can be read and written, has the tables of this Holdfast, and is whole."""
        found = self._found
        if not found.version:
            return POOR, f"nothing at {found.address} yet", "holdfast ingest FILES --source NAME"
        said = f"{found.address}, version {found.version}"
        if found.version != REVISION:
            do = "stop the service, then: holdfast migrate" if found.version < REVISION else "update Holdfast"
            return BAD, f"{said}; this Holdfast needs {REVISION}", do
        if found.faults:
            return BAD, f"{said}, damaged: {'; '.join(found.faults)}", "holdfast restore THE NEWEST BACKUP --replace"
        if not found.writable:
            return BAD, f"{said}, which can't be written", "make room, or name a server that isn't a standby"
        return _of_files(found, said)

    def clock(self) -> Said:
        """Look whether time goes forwards: nothing may be recorded later than now."""
        if self._place.clock == "history":
            return GOOD, "a second after the newest record (HOLDFAST_CLOCK=history): for old data, not for work", ""
        now, newest = live(), self._told.newest
        if newest is not None and newest > now + _TOLERANCE:
            ahead = timedelta(seconds=round((newest - now).total_seconds()))
            return BAD, f"a record is {ahead} ahead of now, and not seen until then", "set the machine's clock right"
        return GOOD, f"live, {now:%Y-%m-%d %H:%M:%S} UTC", ""

    def keys(self) -> Said:
        """Look whether callers need keys."""
        count = self._told.keys
        if not count:
            return (
                POOR,
                "none, so it is open to whoever reaches it, on loopback alone",
                "holdfast keys make NAME --role agent",
            )
        return GOOD, f"{count} in use", ""

    @property
    def _told(self) -> Soundness:
        """What the store tells, or nothing: that it can't be read is another line's to say."""
        try:
            return self._found
        except StoreError:
            return Soundness("", "")


def _of_files(found: Soundness, said: str) -> Said:
    """Look whether the files of a store that is sound are their owner's alone, and its log is small."""
    if found.exposed:
        files = " ".join(map(str, found.exposed))
        return POOR, f"{said}, whose mode lets others than its owner read it", f"chmod go-rwx {files}"
    if found.log_bytes > _LARGE_LOG:
        do = "end whoever keeps reading, such as a forgotten shell; the log is taken over then"
        return POOR, f"{said}; its log holds {found.log_bytes // MEGABYTE:,} MB", do
    return GOOD, f"{said}, whole", ""


def erasures(place: Home) -> Said:
    """Look whether an erasure broke off: files may name the person still, and there is no proof."""
    moments = begun(folder_of(place))
    if not moments:
        return GOOD, "none that isn't finished", ""
    said = f"{len(moments)} not finished, the oldest of {moments[0]:%Y-%m-%d %H:%M:%S} UTC: files may still name them"
    return BAD, said, "where none is under way: holdfast erase --resume"


def backups(place: Home) -> Said:
    """Look how old the newest backup is."""
    folder = place.data / "backups"
    newest = max((file.stat().st_mtime for file in folder.glob("*.backup")), default=None)
    do = f"holdfast backup {folder / 'TODAY.backup'}, each night"
    if newest is None:
        return POOR, f"none in {folder}", do
    days = (time.time() - newest) / _DAY_SECONDS
    return (GOOD if days <= _BACKUP_DAYS else POOR), f"the newest is {days:.1f} days old", do


def playbook(place: Home) -> Said:
    """Look whether the playbook holds together and can be meant."""
    from features.definitions import NAMES
    from serving.lint import findings
    from serving.playbook import load_playbook

    try:
        read = load_playbook(place.playbook, NAMES)
    except PlaybookError as error:
        return BAD, str(error), "holdfast playbook check"
    found = list(findings(read, live().date()))
    errors = [one for one in found if one.severity == "error"]
    said = f"{len(read.offers)} offers, {read.hash[:12]}"
    if errors:
        return BAD, f"{said}; {errors[0].place}: {errors[0].found}", "holdfast playbook check"
    if found:
        return POOR, f"{said}; {found[0].place}: {found[0].found}", "holdfast playbook check"
    return GOOD, said, ""


@dataclass
class Champion:
    """The bundle in charge, once it has been looked at; `version` is "" where it can't be read."""

    place: Home
    version: str = ""

    def check(self) -> Said:
        """Look whether the registry can be reached and the bundle in charge loads: hash, contract, self-made files."""
        from models.bundle import load
        from serving.bundle import fetch

        folder, self.version = fetch(self.place)
        try:
            bundle = load(folder, self.version)
        except HoldfastError as error:
            return BAD, f"version {self.version}: {error}", "holdfast train"
        learned = f"learned up to {bundle.as_of:%Y-%m-%d}"
        said = f"version {self.version}, grade {bundle.grade}, {bundle.hash[:12]}, {learned}"
        return (GOOD if bundle.grade in ("A", "B") else POOR), said, "holdfast evaluate"


def health(place: Home) -> Said:
    """Look whether somebody looks after the promises of what serves."""
    file = place.health_metrics
    if not file.exists():
        return POOR, "never asked", "holdfast health, each night"
    days = (time.time() - file.stat().st_mtime) / _DAY_SECONDS
    return (GOOD if days <= _HEALTH_DAYS else POOR), f"asked {days:.1f} days ago", "holdfast health, each night"


def _answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return _asked(f"{url}/healthz").is_success
    return False


def _asked(url: str) -> httpx.Response:
    # Its own certificate names it by the name that others know it by.
    return httpx.get(url, timeout=5.0, trust_env=False, verify=False)


def service(port: int, champion: str) -> Said:
    """Look whether a service answers on a port and serves the champion, or else whether the port is free."""
    from serving.run import free_port

    url = next((url for url in (f"http://127.0.0.1:{port}", f"https://127.0.0.1:{port}") if _answers(url)), "")
    try:
        ready, told = _asked(f"{url}/readyz"), _asked(f"{url}/metrics").text
    except (httpx.HTTPError, httpx.InvalidURL):
        try:
            free_port("127.0.0.1", port)
        except InputError as error:
            return (
                BAD,
                f"something on port {port} doesn't answer as the service does: {error}",
                "holdfast serve --port N",
            )
        return GOOD, f"none on port {port}, which is free", ""
    versions = sorted(_versions(told))
    said = (
        f"on {url}, {'ready' if ready.status_code == 200 else 'not ready'}, serves {', '.join(versions) or 'nothing'}"
    )
    if ready.status_code != 200:
        return BAD, said, f"curl {url}/readyz says why"
    if champion and versions != [champion]:
        return POOR, f"{said}; the champion is {champion}", "wait ten seconds, then restart the service"
    return GOOD, said, ""


def _versions(told: str) -> set[str]:
    """Read which bundles are in service from the metrics."""
    from prometheus_client.parser import text_string_to_metric_families

    return {
        sample.labels["version"]
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        if sample.name == "holdfast_bundle_info" and sample.value
    }
