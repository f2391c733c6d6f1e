"""`holdfast serve`: the service, kept up with the champion."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from features.home import Home, home
from holdfast.screen import err, spinner

if TYPE_CHECKING:
    from serving.run import Server


def serve(
    host: Annotated[
        str, typer.Option(help="The address to listen on; loopback is for this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 3000,
    workers: Annotated[int, typer.Option(min=1, help="How many processes answer.")] = 1,
    version: Annotated[
        str, typer.Option(help="Serve this version or alias, and don't follow the registry.")
    ] = "champion",
) -> None:
    """Answer agents' desktops over HTTP until interrupted.

    It follows the alias champion: another bundle is taken up within 10 seconds, without a request dropped.

    Example: holdfast serve --port 3000
    """
    with running(home(), version, host, port, workers) as (server, number):
        err.print(f"Serving bundle version {number} on {server.url}; its documentation is there. Stop with Ctrl-C.")
        server.process.wait()


@contextmanager
def running(
    place: Home, version: str, host: str = "127.0.0.1", port: int = 0, workers: int = 1
) -> Iterator[tuple["Server", str]]:
    """Keep a service up while the block runs; port 0 takes a free one. Yields the server and the bundle's version."""
    from serving.bundle import CHAMPION, fetch
    from serving.opening import choose
    from serving.run import free_port
    from serving.run import serve as begin

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    chosen = free_port(host, port)
    follows = version == CHAMPION
    with spinner("Reading the registry"):
        folder, number = (None, choose(place).version) if follows else fetch(place, version)
    with spinner("Starting the service"):
        server = begin(place, folder, host, chosen, workers, number)
        try:
            server.wait_ready()
        except BaseException:
            server.stop()
            raise
    try:
        yield server, number
    finally:
        with spinner("Stopping the service"):
            server.stop()
