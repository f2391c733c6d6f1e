"""Commands for databases, browsers, shells and templates in every text of every endpoint: kept as data, or refused."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from benchmarks.faults.asked import Asker, written
from benchmarks.faults.bodies import told
from benchmarks.faults.found import Found
from benchmarks.faults.questions import places, replaced
from benchmarks.faults.served import Place
from features import store
from features.store import Store

PAYLOADS = (
    "'; DROP TABLE events; --", "Robert'); DELETE FROM decisions WHERE ('1'='1", "' OR '1'='1", '" OR ""="',
    "1; SELECT pg_sleep(10) --", "' UNION SELECT hash FROM keys --", "%' OR reference LIKE '%", "\\'; VACUUM; --",
    "$$; COPY contacts TO '/tmp/out'; $$", ":reference", "%(reference)s", "%s", "?1", "{0}", "{{7*7}}",
    "${jndi:ldap://x}", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script><svg/onload=alert(1)>",
    "javascript:alert(1)", "$(touch /tmp/was-here)", "`touch /tmp/was-here`", "| cat /etc/passwd", "../../etc/passwd",
    '=HYPERLINK("http://x")', "__import__('os').system('id')", "true or 1 == 1", "customer.tier == 'top' or true",
    "[bold red]rich[/]", "\u202etxt.exe", "a\u2028b", "null", "undefined", "NaN", "0x41", "\uff07 OR 1=1",
)  # fmt: skip
_TABLES = (store.events, store.decisions, store.contacts, store.responses, store.links, store.playbooks)


def injections(url: str, place: Place, payloads: Sequence[str] = PAYLOADS) -> Found:
    """Put each into each text; see that every table is there, none lost a row, and what was kept is kept as it came.

    Whatever begins to run would show: by a table gone or emptied, an answer that waits, or a file in the folder.
    """
    address = place.home.database_url
    before = _counted(address)
    with Asker(url) as asker:
        for route, at in places(str):
            for payload in payloads:
                got = asker.ask(route, written(replaced(route, at, payload)), what=f"{payload!r} at {at}")
                if got is not None and got.status_code == 200 and "<script" in payload:
                    _check_plain(asker, got.headers.get("content-type", ""))
        for payload in payloads:
            _keep(asker, payload)
        asker.said.wrong += [f"rows lost in {name}" for name, rows in before.items() if _counted(address)[name] < rows]
        asker.said.wrong += [f"not kept as it came: {payload!r}" for payload in payloads if not _kept(address, payload)]
        return told(f"{len(payloads)} injections in every text of every endpoint", asker)


def _check_plain(asker: Asker, media: str) -> None:
    if not media.startswith("application/json"):
        asker.said.wrong.append(f"script answered as {media}")


def _keep(asker: Asker, payload: str) -> None:
    """Tell an event that holds it wherever an event holds words."""
    event = {
        "event_id": payload,
        "source": "injections",
        "product": payload,
        "place": payload,
        "body": {"said": payload},
    }
    told: dict[str, Any] = {"customer": f"customer:{payload}", "kind": "inquiry", "occurred_at": "2018-01-02T09:30:00Z"}
    asker.ask("/v1/interactions", written(told | event), what=f"event of {payload!r}", only=(200,))


def _kept(address: str, payload: str) -> bool:
    table, opened = store.events, Store(address)
    mine = (table.c.source == "injections") & (table.c.source_reference == payload)
    with opened.reading() as connection:
        rows = connection.execute(
            sa.select(table.c.product, table.c.place, table.c.reference, table.c.body).where(mine)
        ).all()
    opened.close()
    return [(*row[:3], json.loads(row[3])) for row in rows] == [
        (payload, payload, f"customer:{payload.strip()}", {"said": payload})
    ]


def _counted(address: str) -> dict[str, int]:
    opened = Store(address)
    with opened.reading() as connection:
        counts = {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in _TABLES
        }
    opened.close()
    return counts
