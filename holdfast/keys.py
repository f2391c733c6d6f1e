"""`holdfast keys`: who may ask the service, and as what."""

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Annotated

import typer

from features.clock import from_microseconds, live
from features.history import History
from features.home import Home, home
from features.keys import Key, written
from holdfast.screen import AsJson, err, out, say_json, table
from serving.roles import Role

app = typer.Typer(
    help="""Make, list and revoke the keys that callers of the service send.

    Example: holdfast keys list
    """,
    no_args_is_help=True,
)


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="What the key is for, such as a system's name; it is only listed.")],
    role: Annotated[Role, typer.Option(help="What its holder may ask, and which fields of an answer they see.")],
    rate: Annotated[
        int | None, typer.Option(min=1, help="Requests a second that each worker answers; the default if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once: only a hash of it is kept.

    Example: holdfast keys make agent-desktop --role agent
    """
    with closing(History(home().database_url)) as history:
        key, text = made(history, name, role, rate, live())
    if as_json:
        say_json(_told(key) | {"key": text})
        return
    out.print(text, markup=False, soft_wrap=True)
    err.print(
        f"Keep it now: it isn't shown again. Send it as a header, Authorization: Bearer {text[:3]}…; revoke it by its"
        f" id: holdfast keys revoke {key.id}",
        soft_wrap=True,
    )


@app.command("list")
def listed(as_json: AsJson = False) -> None:
    """List all keys, revoked ones included; none can be turned back into what its holder sends.

    Example: holdfast keys list
    """
    with closing(History(home().database_url)) as history:
        keys = history.keys.all()
    if as_json:
        say_json([_told(key) for key in keys])
        return
    rows = [
        (
            key.id, key.name, key.role, "–" if key.rate is None else f"{key.rate:,}", _day(key.made_at),
            _day(key.revoked_at),
        )
        for key in keys
    ]  # fmt: skip
    out.print(table(f"{len(keys):,} keys", ("id", "name", "role", "rate", "made", "revoked"), rows))


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The key's id.", metavar="ID")]) -> None:
    """Revoke a key for good; running services refuse it within some seconds.

    Example: holdfast keys revoke 3f9a2c1e
    """
    with closing(History(home().database_url)) as history:
        key = history.keys.revoke(key_id, live())
    out.print(f"{key.id} ({key.name}, {key.role}) is revoked.", markup=False)


def made(history: History, name: str, role: str, rate: int | None, now: datetime) -> tuple[Key, str]:
    """Make a key of 256 random bits, and return it with what its holder sends."""
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    return history.keys.make(key_id, secret, name, role, rate, now), written(key_id, secret)


@contextmanager
def passing(place: Home, name: str) -> Iterator[dict[str, str]]:
    """Give the header that a command sends to its own service: that of a key for the block, or none where none is."""
    with closing(History(place.database_url)) as history:
        if not history.keys.all():
            yield {}
            return
        key, text = made(history, name, Role.ADMIN, None, live())
        try:
            yield {"Authorization": f"Bearer {text}"}
        finally:
            history.keys.revoke(key.id, live())


def _told(key: Key) -> dict[str, object]:
    moments = {
        name: None if value is None else from_microseconds(value).isoformat()
        for name, value in (("made_at", key.made_at), ("revoked_at", key.revoked_at))
    }
    return {"id": key.id, "name": key.name, "role": key.role, "rate": key.rate, **moments}


def _day(moment: int | None) -> str:
    return "–" if moment is None else f"{from_microseconds(moment):%Y-%m-%d %H:%M}"
