"""`holdfast serve`: the service, kept up with the champion."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from features.errors import HoldfastError, InputError
from features.home import Home, home
from holdfast.screen import err, spinner

if TYPE_CHECKING:
    from serving.openness import Tls
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
    certificate: Annotated[
        Path | None, typer.Option(help="A TLS certificate with its chain (PEM); the service then speaks HTTPS.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM), without a password.")] = None,
) -> None:
    """Answer agents' desktops over HTTP until interrupted.

    It follows the alias champion: another bundle is taken up within 10 seconds, without a request dropped.

    On loopback it needs no key while none was made; on any other address it doesn't start without one (holdfast keys).

    Told to stop, by Ctrl-C or SIGTERM, it says on /readyz that it isn't ready, goes on answering for
    HOLDFAST_DRAIN_SECONDS (1), refuses connections then, answers what it has taken, and ends with status 0.

    Example: holdfast serve --port 3000
    """
    from serving.openness import Tls, standing

    if (certificate is None) != (key is None):
        raise InputError("expected --certificate and --key together, found one of them")
    tls = None if certificate is None or key is None else Tls(certificate, key)
    with suppress(KeyboardInterrupt), running(home(), version, host, port, workers, tls) as (server, number):
        err.print(f"Serving bundle version {number} on {server.url}; its documentation is there. Stop with Ctrl-C.")
        err.print(standing(home().database_url, host, tls), soft_wrap=True)
        status = server.process.wait()
        raise HoldfastError(
            f"expected the service to run until it is told to stop, found that it ended with status {status};"
            " its own message is above"
        )


@contextmanager
def running(
    place: Home, version: str, host: str = "127.0.0.1", port: int = 0, workers: int = 1, tls: "Tls | None" = None
) -> Iterator[tuple["Server", str]]:
    """Keep a service up while the block runs; port 0 takes a free one. Yields the server and the bundle's version."""
    from serving.bundle import CHAMPION, fetch
    from serving.opening import choose
    from serving.run import free_port
    from serving.run import serve as begin

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    chosen = free_port(host, port)
    with spinner("Reading the registry"):
        folder, number, why = (None, *choose(place)) if version == CHAMPION else (*fetch(place, version), "")
    if why:
        err.print(f"[yellow]Careful:[/] {escape(why)}", soft_wrap=True)
    with spinner("Starting the service"):
        server = begin(place, folder, host, chosen, workers, number, tls)
        try:
            server.wait_ready()
        except BaseException:
            server.stop()
            raise
    try:
        yield server, number
    finally:
        with spinner("Stopping the service"), _undisturbed():
            server.stop()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Take no notice of a second Ctrl-C while the service answers what it has taken, which is bounded."""
    before = {told: signal.signal(told, signal.SIG_IGN) for told in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for told, handler in before.items():
            signal.signal(told, handler)
