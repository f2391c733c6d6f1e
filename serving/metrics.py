"""What an operator reads off the service, by Prometheus's conventions; each worker counts, and all are added up.

Workers count into files that they share a folder of (PROMETHEUS_MULTIPROC_DIR, which BentoML sets), so whichever is
asked tells of all. Labels are bounded by the code, the playbook and the registry: none ever names a customer, a
decision or a path that somebody made up.
"""

import os
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import prometheus_client as prometheus
import psutil  # type: ignore[import-untyped]
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = prometheus.CONTENT_TYPE_LATEST
STAGES = ("lookup", "history", "scores", "ledger", "decide", "write")
OTHER = "other"
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_MOST_VALUES = 200
_MS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 15.0)
_AGES = (60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 2_592_000.0, 7_776_000.0, 31_536_000.0)
_Mode = Literal["livesum", "livemin", "livemax", "liveall"]

_REQUESTS = Counter("holdfast_requests", "Requests answered.", ["endpoint", "status"])
_REQUEST_SECONDS = Histogram(
    "holdfast_request_duration_seconds", "From a request's head to its answer's end.", ["endpoint"], buckets=_MS
)
_STAGE_SECONDS = Histogram(
    "holdfast_decision_stage_duration_seconds",
    "What each stage of a decision took: lookup (who it is), history (their events), scores (features and models),"
    " ledger (the wait for it), decide, write (and the flush to disk).",
    ["stage"],
    buckets=_MS,
)
_FEATURE_AGE = Histogram(
    "holdfast_feature_age_seconds", "Age of the newest event that a decision rests on.", buckets=_AGES
)
_DECISIONS = Counter("holdfast_decisions", "Decisions written down.", ["group", "tier", "offered"])
_WITHHELD = Counter("holdfast_offers_withheld", "Offers withheld, by what stopped them.", ["reason"])
_CONTACTS = Counter("holdfast_contacts", "Contacts of the ledger held, confirmed and released.", ["state"])
_OUTCOMES = Counter("holdfast_outcomes", "Outcomes written down.", ["status"])
_INTERACTIONS = Counter("holdfast_interactions", "Interactions told.", ["result"])
_REFUSALS = Counter("holdfast_refusals", "Requests refused, at the gate or behind it, and why.", ["reason"])
_DEGRADED = Counter(
    "holdfast_answers_degraded", "Answers that were less than they should be, and why.", ["part", "reason"]
)


def _gauge(name: str, says: str, labels: Iterable[str], mode: _Mode) -> Gauge:
    return Gauge(f"holdfast_{name}", says, tuple(labels), multiprocess_mode=mode)


IN_PROGRESS = _gauge("requests_in_progress", "Requests being answered.", (), "livesum")
READY = _gauge("workers_ready", "Workers that say they are ready.", (), "livesum")
WORKERS = _gauge("workers", "Workers that run.", (), "livesum")
STORE_UP = _gauge("store_up", "1 while every worker can read the store.", (), "livemin")
STORE_SECONDS = _gauge("store_look_duration_seconds", "What the slowest worker's last look took.", (), "livemax")
WRITABLE = _gauge("store_writable", "1 while the store may be written and has room.", (), "livemin")
FREE = _gauge("disk_free_bytes", "Room on the disk of data/.", (), "livemin")
MEMORY = _gauge("worker_resident_memory_bytes", "Memory of each worker.", (), "liveall")
CACHED = _gauge("cache_customers", "Customers kept in workers' memory.", (), "livesum")
CACHED_EVENTS = _gauge("cache_events", "Their events.", (), "livesum")
CACHE_LOOKS = Counter("holdfast_cache_looks", "Looks into the cache of customers: hit, newer, or miss.", ["result"])
_BUNDLE = _gauge("bundle_info", "Workers that serve a bundle.", ("version", "hash", "grade"), "livesum")
_SINCE = _gauge("bundle_since_timestamp_seconds", "When the newest bundle came into service.", (), "livemax")
_FOLLOWING = _gauge("registry_following", "Workers by how they stand to the registry.", ("state",), "livesum")
_BREAKER = _gauge("breaker_open", "Workers whose breaker of a part is open.", ("part",), "livesum")
SPENT = _gauge("attention_spent_contacts", "Spent of a budget of attention.", ("owner", "tier"), "livemax")
BUDGET = _gauge("attention_budget_contacts", "What an owner may spend in the budget's days.", ("owner",), "livemax")

_STAGE = {stage: _STAGE_SECONDS.labels(stage) for stage in STAGES}


class _Kept:
    """The children of a counter by their labels, made once; beyond some, more count as "other"."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._made: dict[tuple[str, ...], Counter] = {}

    def add(self, *labels: str, count: float = 1.0) -> None:
        found = self._made.get(labels)
        if found is None:
            labels = labels if len(self._made) < _MOST_VALUES else tuple(OTHER for _ in labels)
            found = self._made[labels] = self._counter.labels(*labels)
        found.inc(count)


_decisions, _withheld, _contacts = _Kept(_DECISIONS), _Kept(_WITHHELD), _Kept(_CONTACTS)
_outcomes, _interactions, _degraded = _Kept(_OUTCOMES), _Kept(_INTERACTIONS), _Kept(_DEGRADED)
_requests, _refusals = _Kept(_REQUESTS), _Kept(_REFUSALS)
# What can be counted stands at nought from the start, since a rate begins with the second sample.
for _name in ("held", "confirmed", "released"):
    _contacts.add(_name, count=0.0)
for _name in ("recorded", "corrected", "already_known"):
    _interactions.add(_name, count=0.0)
for _part in ("store", "model", "service"):
    for _name in ("error", "slow", "busy", "open"):
        _degraded.add(_part, _name, count=0.0)
    _BREAKER.labels(_part).set(0)


def answered(endpoint: str, status: int, seconds: float) -> None:
    """Count a request; `endpoint` is a route of the service, or `OTHER`."""
    _requests.add(endpoint, str(status))
    _REQUEST_SECONDS.labels(endpoint).observe(seconds)


def refused(reason: str) -> None:
    """Count a request that wasn't answered, and why: a word of the code's."""
    _refusals.add(reason)


def decided(body: Mapping[str, Any], held: int, stages: Mapping[str, float]) -> None:
    """Count a decision that was written down, the contacts that it holds, and the seconds that each stage took."""
    for stage, seconds in stages.items():
        _STAGE[stage].observe(seconds)
    _decisions.add(body["experiment"]["group"], body["tier"], "yes" if body["offers"] else "no")
    age = body["ages"]["newest_event_seconds"]
    if age is not None:
        _FEATURE_AGE.observe(age)
    for reason, count in Counts(map(_reason, body["withheld"])).items():
        _withheld.add(reason, count=count)
    if held:
        _contacts.add("held", count=held)


def _reason(withheld: Mapping[str, Any]) -> str:
    """Name what stopped an offer: a layer of its rules, or what of the contact policy, as the playbook calls it."""
    layer = str(withheld["layer"])
    return str(withheld["rule"]) if layer == "contact" else layer


def outcome(status: str, contact: str | None) -> None:
    """Count an outcome that was written down, and what it made of the contact that was held."""
    _outcomes.add(status)
    if contact is not None:
        _contacts.add(contact)


def told(recorded: int, corrected: int, already_known: int) -> None:
    """Count interactions that were told."""
    for name, count in (("recorded", recorded), ("corrected", corrected), ("already_known", already_known)):
        _interactions.add(name, count=count)


def degraded(part: str, reason: str) -> None:
    """Count an answer that lacked a part, and why: a word of the code's each."""
    _degraded.add(part, reason)


def breaker(part: str, is_open: bool) -> None:
    """Say whether this worker's breaker of a part is open."""
    _BREAKER.labels(part).set(is_open)


def serving(version: str, bundle_hash: str, grade: str, since: float) -> None:
    """Say which bundle this worker serves, and since when (seconds since 1970)."""
    for labels in _served:
        _BUNDLE.labels(*labels).set(0)
    _served.add((version, bundle_hash, grade))
    _BUNDLE.labels(version, bundle_hash, grade).set(1)
    _SINCE.set(since)


_served: set[tuple[str, str, str]] = set()


def following(state: str) -> None:
    """Say how this worker stands to the registry: "following", "away", "refused" or "fixed"."""
    for name in ("following", "away", "refused", "fixed"):
        _FOLLOWING.labels(name).set(name == state)


def exposition(beside: Callable[[], bytes]) -> bytes:
    """Write all metrics of all workers in Prometheus's text format, and behind them what a job left beside."""
    folder = os.environ.get(_FOLDER)
    if not folder:
        return prometheus.generate_latest() + beside()
    for file in Path(folder).glob("gauge_live*.db"):
        process = int(file.stem.rpartition("_")[2])
        if not psutil.pid_exists(process):
            mark_process_dead(process)  # type: ignore[no-untyped-call]
    registry = prometheus.CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return prometheus.generate_latest(registry) + beside()


def take_room() -> None:
    """Reserve the disk space that this process counts into: a write into memory whose disk is full would end it."""
    for file in Path(os.environ.get(_FOLDER, os.devnull)).glob(f"*_{os.getpid()}.db"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
