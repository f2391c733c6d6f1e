"""The log: one line of JSON for each event, in which nobody is named.

What isn't listed in `FIELDS`, or isn't of its form, isn't written. Of what other libraries log only the place is kept,
and the kind of error: their sentences, and those of our own errors, may repeat what a caller sent.
"""

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from types import MappingProxyType, TracebackType

import orjson

from features.errors import InputError
from serving.asking import ASKING

FILE = "HOLDFAST_LOG"
REQUESTS = "HOLDFAST_LOG_REQUESTS"
_MOST_PLACES = 12
_logger = logging.getLogger("holdfast")


def _form(pattern: str) -> Callable[[object], bool]:
    found = re.compile(pattern)
    return lambda value: isinstance(value, str) and found.fullmatch(value) is not None


def _number(value: object) -> bool:
    # Below any telephone number.
    return isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < 1_000_000)


# Words that the program chooses, never a text that came in.
_word = _form(r"[a-z][a-z_]{0,39}")
FIELDS: Mapping[str, Callable[[object], bool]] = MappingProxyType(
    {
        "request": _form(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        "key": _form(r"[0-9a-f]{8}"),
        "bundle": _form(r"\d{1,6}|[0-9a-f]{32,64}|[a-z]{1,20}"),
        **dict.fromkeys(("route", "role", "reason", "part", "state"), _word),
        **dict.fromkeys(("status", "count", "milliseconds", "seconds"), _number),
    }
)


def log(event: str, level: str = "info", error: BaseException | None = None, **fields: object) -> None:
    """Write an event, with the request that it belongs to; of an error its kind, and where it came from.

    A field that isn't known, or isn't of its form, is left out, and counted as `withheld`.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    if _logger.isEnabledFor(number):
        _logger.log(number, event, extra={"told": _asked() | fields, "failed": error})


def _asked() -> dict[str, object]:
    asking = ASKING.get()
    if asking is None:
        return {}
    told = {"request": asking.request, "route": asking.route, "key": asking.key, "role": asking.role}
    return {name: value for name, value in told.items() if value}


def _of_error(error: BaseException | None) -> dict[str, object]:
    if error is None:
        return {}
    cause = {"cause": type(error.__cause__).__name__} if error.__cause__ else {}
    return {"error": type(error).__name__, **cause, "at": _places(error.__traceback__)}


def _places(trace: TracebackType | None) -> list[str]:
    """List where an error passed, the innermost last."""
    passed = traceback.extract_tb(trace)[-_MOST_PLACES:]
    return [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in passed]


class Lines(logging.Formatter):
    """Writes each record as a line of JSON that names nobody."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = getattr(record, "told", None)
        said = _of_library(record) if told is None else _of_ours(record, told)
        return orjson.dumps({"moment": moment, "level": record.levelname.lower(), **said}).decode()


def _of_ours(record: logging.LogRecord, told: Mapping[str, object]) -> dict[str, object]:
    kept = {name: value for name, value in told.items() if name in FIELDS and FIELDS[name](value)}
    withheld = {"withheld": len(told) - len(kept)} if len(kept) < len(told) else {}
    return {"event": record.msg, **kept, **withheld, **_of_error(getattr(record, "failed", None))}


def _of_library(record: logging.LogRecord) -> dict[str, object]:
    at = f"{record.module}:{record.lineno} {record.funcName}"
    error = record.exc_info[1] if record.exc_info else None
    return {"event": "library", "logger": record.name, "said_at": at, **_of_error(error)}


def begin() -> None:
    """Write everything that this process logs, whoever logs it, as such lines: to `HOLDFAST_LOG`, or standard error.

    Raises InputError when the file can't be written.
    """
    handler = _handler(os.environ.get(FILE, ""))
    handler.setFormatter(Lines())
    for name in list(logging.root.manager.loggerDict):
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
    logging.root.handlers[:] = [handler]
    _logger.setLevel(logging.INFO)
    # What goes wrong in writing a line would be told together with what was to be written.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: log("broken_off", "critical", error)
    threading.excepthook = lambda told: log("thread_failed", "error", error=told.exc_value)
    sys.unraisablehook = lambda told: log("unraisable", "error", error=told.exc_value)


def check() -> None:
    """See that the log can be written.

    Raises InputError when it can't.
    """
    _handler(os.environ.get(FILE, "")).close()


def _handler(file: str) -> logging.Handler:
    if not file:
        return logging.StreamHandler(sys.stderr)
    if not Path(file).is_absolute():
        raise InputError(f"expected {FILE} as a whole path, since workers run elsewhere; found {file}")
    try:
        # It is opened again once it has been moved away, so logrotate needn't tell anybody.
        return WatchedFileHandler(file, encoding="utf-8")
    except OSError as error:
        raise InputError(f"expected to write the log to {file}, found: {error.strerror}; set {FILE}") from error


def requests_wanted() -> bool:
    """Tell whether every request is to be logged, not only what is refused."""
    return os.environ.get(REQUESTS, "") not in ("", "0")
