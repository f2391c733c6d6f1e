"""SQLite's one writer at a time, of this process's threads: whoever comes while others write shares their flush.

A flush to disk takes longer than what is written before it. So whoever is done with writing while others wait for
their turn leaves the transaction open to the next of them, and the last one commits for all. Nobody goes on before that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

import sqlalchemy as sa

from features.engines import begin_alone

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
        """Commit what all have written, unless the engine has undone it meanwhile, as when the disk is full."""
        try:
            driver = self.connection.connection.driver_connection
            if driver is None or not driver.in_transaction:
                raise sa.exc.OperationalError("COMMIT", None, RuntimeError("the transaction was undone"))
            self.connection.commit()
        except BaseException as error:
            self.error = error
        finally:
            self.connection.close()
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

    @contextmanager
    def taken(self) -> Iterator[sa.Connection]:
        """Write alone while the block runs; after it, what was written is on disk. What raises is undone by itself."""
        self._wait()
        try:
            shared = self._joined()
            try:
                with _undone(shared):
                    yield shared.connection
            finally:
                if not self._waiting or shared.members >= _MOST_TOGETHER:
                    self._end(shared)
        finally:
            self._turn.release()
        # Should nobody come who ends it, whoever was to take it over having died, then this one does.
        while not shared.done.wait(_PATIENCE_SECONDS):
            with self._turn:
                self._end(shared)
        if shared.error is not None:
            raise shared.error

    def _wait(self) -> None:
        with self._counting:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1

    def _joined(self) -> _Shared:
        if self._open is None:
            connection = self._engine.connect()
            try:
                connection.begin()
                begin_alone(connection)
            except BaseException:
                connection.close()
                raise
            self._open = _Shared(connection)
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
        if shared.connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
            cursor.execute("ROLLBACK TO turn")
        raise
    finally:
        cursor.close()
