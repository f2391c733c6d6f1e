"""`holdfast serve`: the service, kept up with the champion."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import InputError
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
    from serving.bundle import fetch
    from serving.run import serve as begin

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    chosen = _free_port(host, port)
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


def _free_port(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise InputError(
                f"expected {host}:{port} to be free, found: {error.strerror}; choose another with --port"
            ) from error
        taken: Any = listener.getsockname()
    return int(taken[1])
