"""SQLite's one writer at a time, of this process's threads: whoever comes while others write shares their flush.

A flush to disk takes longer than what is written before it. So whoever is done with writing while others wait for
their turn leaves the transaction open to the next of them, and the last one commits for all. Nobody goes on before
that, so whoever has much to write does it apart. What one of them wrote and gave up is undone by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

import sqlalchemy as sa

from features.engines import begin_alone, keep_more
from features.errors import StoreError

_MOST_TOGETHER = 16
_PATIENCE_SECONDS = 0.05


class _Shared:
    """A transaction that several write in, one after the other, and what became of it once it is `done`."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.done = Event()
        self.error: BaseException | None = None
        self.members = 0

    def end(self) -> None:
        """Commit what all have written, unless the engine has undone it meanwhile, as it may when the disk is full."""
        try:
            if not _under_way(self.connection):
                raise StoreError("expected the store to be written; found that it undid what was")
            self.connection.commit()
        except BaseException as error:
            self.error = error
            self.connection.close()
        finally:
            self.done.set()


class Turns:
    """Gives turns to write with an engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        # SQLite lets whoever looks at the right moment in: of many threads that wait for it, some would never be.
        self._turn = Lock()
        self._counting = Lock()
        self._waiting = 0
        self._open: _Shared | None = None
        self._kept: sa.Connection | None = None

    def close(self) -> None:
        """Let go of the connection that is kept between turns."""
        with self._turn:
            if self._kept is not None:
                self._kept.close()

    @contextmanager
    def taken(self, apart: bool = False) -> Iterator[sa.Connection]:
        """Write alone while the block runs; after it, what was written is on disk. What raises is undone by itself.

        What is written `apart` shares its transaction with nothing before it: that would wait for all of it.
        """
        self._wait(apart)
        try:
            if apart and self._open is not None:
                self._end(self._open)
            shared = self._joined()
            try:
                with _undone(shared):
                    yield shared.connection
            finally:
                # What the engine has undone nobody may go on in, or they would begin another by it.
                if not self._waiting or shared.members >= _MOST_TOGETHER or not _under_way(shared.connection):
                    self._end(shared)
        finally:
            self._turn.release()
        # Should nobody come who ends it, whoever was to take it over having died, then this one does.
        while not shared.done.wait(_PATIENCE_SECONDS):
            if self._turn.acquire(blocking=False):
                try:
                    self._end(shared)
                finally:
                    self._turn.release()
        if shared.error is not None:
            raise shared.error

    def _wait(self, apart: bool) -> None:
        if apart:
            self._turn.acquire()
            return
        with self._counting:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1

    def _joined(self) -> _Shared:
        if self._open is None:
            if self._kept is None or self._kept.closed:
                self._kept = self._engine.connect()
                keep_more(self._kept)
            try:
                self._kept.begin()
                begin_alone(self._kept)
            except BaseException:
                self._kept.close()
                raise
            self._open = _Shared(self._kept)
        self._open.members += 1
        return self._open

    def _end(self, shared: _Shared) -> None:
        if self._open is shared:
            self._open = None
            shared.end()


@contextmanager
def _undone(shared: _Shared) -> Iterator[None]:
    """Undo what the block has written when it raises, and nothing of what others have."""
    cursor = shared.connection.connection.cursor()
    cursor.execute("SAVEPOINT turn")
    try:
        yield
    except BaseException:
        if _under_way(shared.connection):
            cursor.execute("ROLLBACK TO turn")
        raise
    finally:
        cursor.close()


def _under_way(connection: sa.Connection) -> bool:
    driver = connection.connection.driver_connection
    return driver is not None and bool(driver.in_transaction)
