"""`holdfast serve`: the service, kept up with the champion."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import HoldfastError
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
    version: Annotated[str, typer.Option(help="A bundle's version or alias.")] = "champion",
) -> None:
    """Answer agents' desktops over HTTP until interrupted.

    Told to stop, by Ctrl-C or SIGTERM, it says on /readyz that it isn't ready, goes on answering for
    HOLDFAST_DRAIN_SECONDS (1), refuses connections then, answers what it has taken, and ends with status 0.

    Example: holdfast serve --port 3000
    """
    with suppress(KeyboardInterrupt), running(home(), version, host, port, workers) as (server, number):
        err.print(f"Serving bundle version {number} on {server.url}; its documentation is there. Stop with Ctrl-C.")
        status = server.process.wait()
        raise HoldfastError(
            f"expected the service to run until it is told to stop, found that it ended with status {status};"
            " its own message is above"
        )


@contextmanager
def running(
    place: Home, version: str, host: str = "127.0.0.1", port: int = 0, workers: int = 1
) -> Iterator[tuple["Server", str]]:
    """Keep a service up while the block runs; port 0 takes a free one. Yields the server and the bundle's version."""
    from serving.bundle import fetch
    from serving.run import free_port
    from serving.run import serve as begin

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    chosen = free_port(host, port)
    with spinner("Reading the registry"):
        folder, number = fetch(place, version)
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
