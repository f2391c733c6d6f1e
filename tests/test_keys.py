"""Keys are made once, kept as hashes, revoked for good, and known to every worker soon after; on either engine."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from features.errors import InputError, StoreError
from features.history import History
from features.keys import hashed
from holdfast.app import app as commands
from holdfast.keys import made, passing
from serving import keyring, openness
from tests.desks import NOW
from tests.gates import Door, reason
from tests.making import BOTH

ENGINES = BOTH


@pytest.fixture
def door(history: History) -> Door:
    return Door(history)


def test_a_key_is_kept_as_a_hash_and_only_its_secret_opens(history: History) -> None:
    key, text = made(history, "desktop", "agent", 7, NOW)
    secret = text.removeprefix(f"hf_{key.id}_")
    assert len(secret) == 43
    assert history.keys.all() == [key]
    assert (key.hash, key.role, key.rate, key.valid) == (hashed(secret), "agent", 7, True)
    assert secret not in str(key)
    assert key.opens(secret)
    assert not key.opens(secret[:-1])


def test_a_revoked_key_opens_nothing_for_good(history: History) -> None:
    key, text = made(history, "desktop", "agent", None, NOW)
    first, again = history.keys.revoke(key.id, NOW), history.keys.revoke(key.id, NOW.replace(year=2020))
    assert first == again == history.keys.all()[0]
    assert not again.opens(text.removeprefix(f"hf_{key.id}_"))
    with pytest.raises(InputError, match="expected the id of a key, found 'none'; see them: holdfast keys list"):
        history.keys.revoke("none", NOW)


def test_the_commands_make_list_and_revoke(new_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", new_url())
    run = CliRunner().invoke
    said = run(commands, ["keys", "make", "crm", "--role", "ingest", "--rate", "5"])
    text = said.stdout.strip()
    (kept,) = json.loads(run(commands, ["keys", "list", "--json"]).stdout)
    assert text.startswith(f"hf_{kept['id']}_")
    assert (kept["name"], kept["role"], kept["rate"], kept["revoked_at"]) == ("crm", "ingest", 5, None)
    assert text not in run(commands, ["keys", "list"]).stdout
    assert run(commands, ["keys", "revoke", kept["id"]]).stdout == f"{kept['id']} (crm, ingest) is revoked.\n"
    assert json.loads(run(commands, ["keys", "list", "--json"]).stdout)[0]["revoked_at"]
    assert run(commands, ["keys", "make", "x", "--role", "king"]).exit_code == 2


def test_a_new_key_and_a_revocation_hold_within_seconds(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keyring.PERIOD_SECONDS <= 2
    monkeypatch.setattr(keyring, "PERIOD_SECONDS", 0.05)
    door.ring.begin()
    try:
        key, text = made(door.history, "test", "agent", None, NOW)
        headers = {"authorization": f"Bearer {text}"}
        assert within(2.0, lambda: door.ask(headers=headers).status_code == 200)
        door.history.keys.revoke(key.id, NOW)
        assert within(2.0, lambda: door.ask(headers=headers).status_code == 401)
    finally:
        door.ring.end()


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_with_the_store_away_the_keys_read_last_hold_for_an_hour_and_nothing_opens(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = door.key()

    def away(*_: object) -> None:
        raise StoreError("expected the store, found none")

    monkeypatch.setattr("features.keys.Keys.all", away)
    door.now = keyring.LASTING_SECONDS - 1
    door.ring.read()
    assert (door.ask(headers=headers).status_code, door.ask().status_code) == (200, 401)
    door.now = keyring.LASTING_SECONDS
    late = [door.ask(headers=headers), door.ask(), door.ask(client=("127.0.0.1", 1))]
    assert [answer.status_code for answer in late] == [503] * 3
    assert reason(late[0]).startswith("expected the keys to be readable, found the store away for too long")


def test_a_service_says_at_its_start_who_may_ask(new_url: Callable[[], str]) -> None:
    url = new_url()
    assert openness.standing(url, "127.0.0.1", None).startswith("Open: whoever is on this machine may ask")
    with closing(History(url)) as history:
        made(history, "test", "agent", None, NOW)
    assert openness.standing(url, "127.0.0.1", None) == "Closed: 1 key opens it."
    assert "keys travel in the clear" in openness.standing(url, "0.0.0.0", None)


def test_a_command_that_asks_its_own_service_passes_by_a_key_that_ends_with_it(
    new_url: Callable[[], str], tmp_path: Path
) -> None:
    place = SimpleNamespace(database_url=new_url())
    with passing(place, "demo") as headers:  # type: ignore[arg-type]
        assert headers == {}
    with closing(History(place.database_url)) as history:
        made(history, "test", "agent", None, NOW)
        with passing(place, "demo") as headers:  # type: ignore[arg-type]
            assert [key.valid for key in history.keys.all()] == [True, True]
            assert headers["Authorization"].startswith("Bearer hf_")
        assert sorted(key.valid for key in history.keys.all()) == [False, True]
