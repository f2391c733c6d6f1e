"""The moment a command or a request speaks of.

Time is an argument everywhere else: only entry points ask a clock.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from features.errors import InputError, StoreError

Clock = Callable[[], datetime]
SECOND = 1_000_000
DAY = 86_400 * SECOND
_FIRST, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_A_MOMENT, _JITTER, _MOST_BEHIND = timedelta(microseconds=1), timedelta(seconds=1), timedelta(hours=1)
MONDAY = 3  # 1 January 1970 was a Thursday


def live() -> datetime:
    """Tell the present moment, in UTC."""
    return datetime.now(UTC)


class after_history:  # noqa: N801 - a clock is made as by a function
    """A clock that stands one second after the newest thing recorded; `told` is what it told last.

    It lets an old data set be lived in as if its last day were today; `newest` returns
    the moment the store last learned something, or None while it is empty.

    >>> clock = after_history(lambda: datetime(2017, 12, 31, tzinfo=UTC))
    >>> clock().isoformat()
    '2017-12-31T00:00:01+00:00'
    """

    def __init__(self, newest: Callable[[], datetime | None]) -> None:
        self._newest = newest
        self.told: datetime | None = None

    def __call__(self) -> datetime:
        """Ask the history."""
        self.told = (self._newest() or live()) + timedelta(seconds=1)
        return self.told


def unasked(clock: Clock) -> datetime:
    """Tell the moment by a clock without asking any history: one that follows it then says what it told last.

    >>> unasked(lambda: datetime(2018, 1, 1, tzinfo=UTC)).isoformat()
    '2018-01-01T00:00:00+00:00'
    """
    if isinstance(clock, after_history | Steady):
        return clock.told or live()
    return clock()


def chosen(clock: str, newest: Callable[[], datetime | None]) -> Clock:
    """Choose the clock that a home runs by: "live", or "history"."""
    return Steady(newest) if clock == "live" else after_history(newest)


class Steady:
    """The machine's clock; set back, it stands at the newest thing recorded until the machine's is there again.

    So a customer's no that was told before is heeded by every process, and not only after a while. A clock that is set
    back by more than an hour is taken at its word.

    >>> wall = [datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 11, 30, tzinfo=UTC)]
    >>> clock = Steady(lambda: datetime(2024, 1, 1, 11, 59, tzinfo=UTC), iter(wall).__next__)
    >>> clock().isoformat()[11:], clock().isoformat()[11:]
    ('12:00:00+00:00', '11:59:00.000001+00:00')
    """

    def __init__(self, newest: Callable[[], datetime | None], wall: Clock = live) -> None:
        self._newest = newest
        self._wall = wall
        self._latest: datetime | None = None

    def __call__(self) -> datetime:
        """Ask the machine; only what is behind asks the history."""
        now, latest = self._wall(), self._latest
        # Threads overtake each other between looking and telling.
        if latest is None or not now < latest - _JITTER <= now + _MOST_BEHIND:
            self._latest = max(now, self._recorded(now)) if latest is None else now
            return self._latest
        return max(now, self._recorded(now))

    @property
    def told(self) -> datetime:
        """The moment, by the machine and by what was told last."""
        now = self._wall()
        behind = self._latest is not None and now < self._latest <= now + _MOST_BEHIND
        return self._latest if behind and self._latest else now

    def _recorded(self, now: datetime) -> datetime:
        """Tell the moment after anything was last recorded, if that is at most an hour ahead."""
        try:
            newest = self._newest()
        except StoreError:
            newest = self._latest
        # What occurred at a moment counts only after it.
        return newest + _A_MOMENT if newest is not None and newest <= now + _MOST_BEHIND else now


def moment(text: str) -> datetime:
    """Read a moment from ISO 8601 text; without a zone it is UTC.

    >>> moment("2017-12-04").isoformat()
    '2017-12-04T00:00:00+00:00'
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"expected a moment such as 2017-12-04 or 2017-12-04T09:30:00+09:00, found {text!r}"
        raise InputError(message) from error
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def microseconds(when: datetime) -> int:
    """Count the microseconds from 1970 to a moment, exactly.

    >>> microseconds(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (when - _FIRST) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """Undo `microseconds`.

    >>> from_microseconds(86400000000).isoformat()
    '1970-01-02T00:00:00+00:00'
    """
    return _FIRST + timedelta(microseconds=count)
