"""Erasing a person leaves nothing that names them, changes nobody else, and can't be undone by telling it all again."""

import gc
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.backups import disposed, write_backup
from features.cache import CustomerCache
from features.consistency import check
from features.contract import row_of
from features.decisions import Window
from features.engines import engine_of
from features.erasing import behind
from features.errors import ErasedCustomer, InputError, StoreError
from features.events import Interaction
from features.history import History
from features.identity import IdentityLink, Reference
from features.naming import Names
from features.packed import pack
from features.recovering import restore
from features.responses import Responses
from features.store import metadata
from holdfast.app import app
from serving.decision import Decider
from serving.desk import Desk
from serving.replay import Replayer
from serving.requests import Ask, Happening, Report
from tests.desks import NOW, FakeScorer, playbook
from tests.making import AS_OF, BOTH, happened, interactions, tellings
from tests.test_naming import SPOKEN
from training.decision_log import decision_log

ENGINES = BOTH
Opener = Callable[[], History]
ANNA, PHONE, BERT, CARL = "customer:anna", "phone:+12024561111", "customer:bert", "customer:carl"
NAMES = (ANNA, PHONE, BERT, CARL)
LATER = AS_OF + timedelta(days=99)
MOMENTS = [AS_OF - timedelta(days=2), AS_OF]


@pytest.fixture
def keyed(new_url: Callable[[], str], tmp_path: Path) -> Iterator[Opener]:
    """Each call opens another empty store that has a secret beside it."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(History(new_url(), tmp_path / "erasure.key")))


def texts(history: History) -> str:
    """Everything in the store, as one text."""
    with disposed(engine_of(history.url)) as engine, engine.connect() as connection:
        tables = [connection.execute(sa.select(table)).all() for table in metadata.sorted_tables]
    return "\n".join(str(value) for rows in tables for row in rows for value in row)


def reference(text: str) -> Reference:
    return Reference(*text.split(":"))


def desk_of(history: History, moment: Any = NOW) -> Desk:
    return Desk(history, FakeScorer(), playbook(), lambda: moment, uuid4)


def erased(history: History, name: str = ANNA, once: bool = False) -> Any:
    return history.erasures.erase(behind(name, once), AS_OF + timedelta(days=9), lambda _: None)


def world(history: History, gone: frozenset[str]) -> dict[str, Any]:
    """What is known, decided and held of everybody but one: what mustn't change."""
    others = [one for one in NAMES if one not in gone]
    window = Window(AS_OF - timedelta(days=9_999), LATER, ("top", "high"), 300)
    bodies = [json.loads(body) for body in history.decisions.bodies()]
    responses = history.decisions.responses(Responses())
    rows = {one: row_of(pack(history.of_customer([one], AS_OF), AS_OF), AS_OF).values.tolist() for one in others}
    ledgers = {one: history.decisions.ledger([one], window) for one in others}
    return {
        "rows": repr(rows),
        "events": repr({one: history.of_customer([one], AS_OF + timedelta(days=99)) for one in others}).replace(
            ANNA, "erased"
        ),
        "decisions": [body for body in bodies if gone.isdisjoint((body["customer"], body["reference"]))],
        "contacts": {one: ledger.contacts for one, ledger in ledgers.items()},
        "spent": {one: dict(ledger.spent) for one, ledger in ledgers.items()},
        "responses": (responses.tried, responses.taken, responses.stated),
    }


TOLD = st.lists(st.one_of(interactions(("anna", "bert", "carl")), tellings(MOMENTS)), max_size=12)
PAIRS = st.lists(
    st.tuples(*[st.sampled_from(NAMES)] * 2, st.sampled_from(MOMENTS), st.sampled_from(["link", "unlink"]))
    .filter(lambda pair: pair[0] != pair[1]),
    max_size=4,
)  # fmt: skip
ASKED = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["presented", "accepted", "declined"])), max_size=3)


@settings(max_examples=12, phases=[Phase.explicit, Phase.generate])
@given(told=TOLD, again=TOLD, pairs=PAIRS, asked=ASKED)
def test_law_8_whoever_is_erased_is_named_nowhere_and_comes_back_from_nowhere(
    keyed: Opener, told: list[Interaction], again: list[Interaction], pairs: list[Any], asked: list[tuple[str, str]]
):
    history = keyed()
    links = [IdentityLink(reference(one), reference(other), at, action) for one, other, at, action in pairs]
    history.append([_of(one) for one in told], None)
    history.append([_of(one) for one in again], AS_OF)
    history.link(links)
    _asked(desk_of(history, AS_OF + timedelta(hours=1)), asked)
    gone = history.erasures.person(ANNA).references
    before = world(history, gone)
    erased(history)
    assert set(history.erasures.named(Names(gone)).values()) == {0}
    assert not any(name.partition(":")[2] in texts(history) for name in gone)
    assert world(history, gone) == before
    written = history.append([_of(one) for one in told + again], AS_OF + timedelta(days=9))
    assert written.erased == sum(str(_of(one).reference) in gone for one in told + again)
    assert (written.new, written.corrected) == (0, 0)
    assert world(history, gone) == before
    assert history.link(links).erased == sum(not gone.isdisjoint(link.pair()) for link in links)
    assert not any(name.partition(":")[2] in texts(history) for name in gone)
    history.close()


def _of(one: Interaction) -> Interaction:
    """Give an event to one of the persons of these tests, its decision or body naming others now and then."""
    name = {"a": ANNA, "b": BERT}.get(one.reference.value, str(one.reference))
    return replace(one, reference=reference(name), body={"friend": ANNA} if one.place == "south" else one.body)


def _asked(desk: Desk, asked: list[tuple[str, str]]) -> None:
    for number, (name, status) in enumerate(asked):
        body = desk.decide(Ask(customer=name, channel="phone", offers=2, context={"topic": "complaint"}))
        for one in body["offers"][: number + 1]:
            desk.outcome(Report(decision_id=body["decision_id"], offer=one["offer"], status=status))


@pytest.fixture
def told(keyed: Opener) -> History:
    """Anna, who is known by phone, too, decided about and told of; and Bert, who bought as much."""
    history = keyed()
    history.append([happened(n, reference=reference((ANNA, BERT)[n % 2]), amount=9.0) for n in range(8)], None)
    history.link([IdentityLink(reference(ANNA), reference(PHONE), MOMENTS[0])])
    _asked(desk_of(history, AS_OF), [(PHONE, "accepted"), (BERT, "accepted")])
    with disposed(engine_of(history.url)) as engine, engine.begin() as connection:
        shadow = {"decision": history.decisions.ids()[0], "made_at": 1, "body": json.dumps({"customer": ANNA})}
        connection.execute(sa.insert(metadata.tables["shadows"]).values(**shadow))
    return history


def test_an_erasure_says_what_it_took_and_what_counts_on_without_a_name(told: History):
    before, shares = told.erasures.counts(Names({ANNA, PHONE})), told.decisions.responses(Responses())
    done = erased(told, PHONE)
    assert before == {**done.deleted, **done.nameless}
    assert done.deleted["events"] > 4
    assert done.deleted["shadows"] == 1
    assert (done.deleted["links"], done.deleted["references"], done.deleted["decisions"]) == (1, 2, 1)
    assert done.nameless["contacts"] >= 1
    assert told.decisions.responses(Responses()) == shares
    assert set(done.references) == {ANNA, PHONE}


def test_nothing_is_decided_or_told_of_the_erased_until_that_is_lifted(told: History):
    logged = json.loads(next(iter(told.decisions.bodies())))
    erased(told)
    desk = desk_of(told, LATER)
    bought = Happening(
        event_id="9", customer=ANNA, kind="purchase", occurred_at=AS_OF, source="till", amount=5.0, channel="store"
    )
    with pytest.raises(ErasedCustomer, match="offer them nothing"):
        desk.decide(Ask(customer=PHONE, channel="phone"))
    assert desk.interactions([bought])["erased"] == 1
    assert (
        desk.interactions([replace(bought, customer="anna"), replace(bought, customer="dora", event_id="10")])["erased"]
        == 1
    )
    with pytest.raises(ErasedCustomer):
        desk.decide(Ask(customer=" anna", channel="phone"))
    assert not desk.lookup(ANNA)["found"]
    with pytest.raises(InputError, match="was erased with its customer"):
        desk.outcome(Report(decision_id=logged["decision_id"], offer=logged["offers"][0]["offer"], status="declined"))
    assert told.erasures.lift([ANNA, BERT], LATER) == 1
    assert desk.interactions([bought])["recorded"] == 1
    assert desk.decide(Ask(customer=ANNA, channel="phone"))["customer"] == ANNA
    with pytest.raises(ErasedCustomer):
        desk.decide(Ask(customer=PHONE, channel="phone"))


def test_a_decision_about_the_erased_is_said_to_be_erased_when_it_is_replayed(told: History):
    first, second = told.decisions.ids()
    erased(told)
    replayer = Replayer(told, lambda _: None, lambda _: Decider.of(playbook()))
    assert replayer.replay(first).gone == ("the customer: everything of them was erased on 2024-03-10",)
    assert "the customer" not in replayer.replay(second).gone[0]
    with pytest.raises(InputError, match="which nobody made"):
        replayer.replay("d-never")


def test_the_log_is_read_on_and_the_rows_of_others_are_still_those_of_batch(told: History):
    before, tries = decision_log(told), told.decisions.tries(LATER)
    erased(told)
    log = decision_log(told)
    assert [(one, name) for one, name in zip(before.ids, before.customers, strict=True) if name != ANNA] == list(
        zip(log.ids, log.customers, strict=True)
    )
    found = check(told, 9, 1, None, lambda done, total: None)
    assert (found.logged, found.compared, found.differing) == (1, 1, ())
    assert sorted(told.decisions.tries(LATER).values()) == sorted(tries.values())


def test_a_running_worker_forgets_the_erased_at_its_next_request_of_whomever(told: History):
    reader = History(told.url, told.tombstones.file)
    cache = CustomerCache(reader)
    assert len(cache.events([ANNA], AS_OF)) == 4
    kept = cache.events([BERT], AS_OF)
    erased(told)
    assert cache.events([BERT], AS_OF) is not kept
    assert len(cache._kept) == 1
    assert len(cache.events([ANNA], AS_OF)) == 0
    reader.close()


def test_an_event_that_was_corrected_to_somebody_else_stays_theirs(told: History):
    moved = happened(0, reference=reference(BERT), amount=9.0)
    assert told.append([moved], AS_OF).corrected == 1
    assert told.append([happened(1, reference=reference(ANNA), amount=9.0)], AS_OF).corrected == 1
    before = sorted(told.of_customer([BERT], LATER))
    erased(told)
    assert sorted(told.of_customer([BERT], LATER)) == before
    assert "anna" not in texts(told)
    again = told.append([replace(moved, amount=7.0)], LATER)
    assert again.corrected == 1
    assert sorted(row[6] for row in told.of_customer([BERT], LATER) if row[1] == "purchase") == [70_000, *[90_000] * 3]


def test_references_whose_link_was_undone_are_erased_only_where_that_is_said(keyed: Opener):
    for once in (False, True):
        history = keyed()
        history.append([happened(1, reference=reference(ANNA)), happened(2, reference=reference(PHONE))], None)
        pair = reference(ANNA), reference(PHONE)
        history.link([IdentityLink(*pair, MOMENTS[0]), IdentityLink(*pair, MOMENTS[1], "unlink")])
        assert history.erasures.person(ANNA).once == {PHONE}
        erased(history, once=once)
        assert len(history.of_customer([PHONE], AS_OF)) == (0 if once else 1)
        assert "anna" not in texts(history)


def test_without_the_secret_nothing_is_written_of_anybody_once_somebody_was_erased(told: History, tmp_path: Path):
    erased(told)
    for key in (None, tmp_path / "another.key"):
        blind = History(told.url, key)
        with pytest.raises(StoreError, match="expected the secret that customers were erased with, found none at"):
            blind.append([happened(99)], None)
        blind.close()
    (tmp_path / "another.key").write_text("ab" * 32)
    blind, links = History(told.url, tmp_path / "another.key"), [IdentityLink(reference(ANNA), reference(BERT), AS_OF)]
    with closing(blind), pytest.raises(StoreError, match="found another at"):
        blind.link(links)


def test_the_secret_is_its_owners_alone_and_lies_in_no_store(told: History):
    erased(told)
    assert told.tombstones.file is not None
    assert told.tombstones.file.stat().st_mode & 0o777 == 0o600
    assert told.tombstones.file.read_text().strip() not in texts(told)


def test_what_a_backup_brings_back_was_erased_stays_erased(told: History, new_url: Callable[[], str], tmp_path: Path):
    write_backup(told.url, tmp_path / "kept.backup", AS_OF)
    first = told.decisions.ids()[0]
    erased(told)
    bert, key = told.of_customer([BERT], LATER), told.tombstones.file
    told.close()
    restore(tmp_path / "kept.backup", told.url, tmp_path, replace=True, key=key)
    assert "anna" not in texts(told)
    assert told.of_customer([BERT], LATER) == bert
    assert told.append([happened(99, reference=reference(ANNA))], LATER).erased == 1
    assert told.decisions.erased_at(first)
    elsewhere = new_url()
    restore(tmp_path / "kept.backup", elsewhere, tmp_path)
    with closing(History(elsewhere)) as other:
        assert other.find(ANNA) == ANNA


def test_whoever_is_named_only_by_others_in_a_backup_is_not_brought_back(keyed: Opener, tmp_path: Path):
    history = keyed()
    said = {"who": f"tel:{PHONE.removeprefix('phone:')}?"}
    history.append([happened(1, reference=reference(BERT), body=said)], None)
    desk_of(history, AS_OF).decide(Ask(customer=BERT, channel="phone", context={"topic": PHONE}))
    write_backup(history.url, tmp_path / "kept.backup", AS_OF)
    history.append([happened(2, reference=reference(PHONE))], None)
    digests = set(erased(history, PHONE).references.values())
    assert not history.erasures.known(digests).references
    history.close()
    restore(tmp_path / "kept.backup", history.url, tmp_path, replace=True, key=history.tombstones.file)
    assert "2024561111" not in texts(history)


@pytest.fixture
def home(told: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (
        ("HOME", tmp_path), ("DATABASE_URL", told.url), ("ERASURE_KEY", told.tombstones.file), ("CLOCK", "live")
    ):  # fmt: skip
        monkeypatch.setenv(f"HOLDFAST_{name}", str(value))
    return tmp_path


def commanded(*words: str) -> Any:
    found = CliRunner().invoke(app, ["erase", *words])
    return found if found.exception is None or isinstance(found.exception, SystemExit) else found.exception


def test_the_command_erases_and_its_proof_names_nobody_and_is_held_against_the_store(told: History, home: Path):
    counted = json.loads(commanded("+1 202 456 1111", "--dry-run", "--json").stdout)
    assert counted["references"] == [ANNA, PHONE]
    assert counted["rows"]["decisions"] == 1
    assert "expected --why" in str(commanded(ANNA, "--yes"))
    proof, why = home / "proof.json", f"{ANNA} asked for it"
    said = commanded(PHONE, "--why", why, "--by", "desk 4", "--yes", "--json", "--out", str(proof))
    told_of = json.loads(said.stdout)
    assert (told_of["why"], told_of["by"]) == ("erased asked for it", "desk 4")
    assert not any(told_of["still_named_after"].values())
    assert "anna" not in proof.read_text()
    assert "1111" not in proof.read_text()
    assert "The proof holds" in commanded("--check", str(proof)).stdout
    told.erasures.lift([ANNA], LATER)
    told.append([happened(99, reference=reference(ANNA))], LATER)
    found = commanded("--check", str(proof))
    assert found.exit_code == 1
    assert "2 of its marks don't hold in the store; 1 of its references are known" in found.stdout.replace("\n", " ")
    assert "Erased again: 1 events" in commanded("--from", str(proof)).stdout
    assert "The proof holds" in commanded("--check", str(proof)).stdout
    proof.write_text(proof.read_text().replace("desk 4", "desk 5"))
    assert "somebody has changed it" in str(commanded("--check", str(proof)))


def test_nothing_of_the_erased_lies_in_the_files_of_a_store_on_sqlite(engine: str, tmp_path: Path):
    if engine != "sqlite":
        pytest.skip("the server's files are the server's")
    path = tmp_path / "some.db"
    history = History(f"sqlite:///{path}", tmp_path / "erasure.key")
    names = [f"customer:n{number}z" for number in range(40)]
    for start in range(0, 4_000, 500):
        rows = [
            happened(n, reference=reference(names[n % 40]), body={"said": "x" * (n % 97)})
            for n in range(start, start + 500)
        ]
        history.append(rows, None)
    with closing(sqlite3.connect(path)) as careless:
        # What was deleted before the store overwrote it.
        careless.execute("PRAGMA secure_delete=OFF")
        careless.execute("DELETE FROM events WHERE reference = ?", [names[0]])
        careless.commit()
    for name in names[:20]:
        erased(history, name)
    assert names[0].encode() in b"".join(file.read_bytes() for file in tmp_path.glob("some.db*"))
    history.erasures.wipe()
    files = b"".join(file.read_bytes() for file in tmp_path.glob("some.db*"))
    assert all(name.encode() in files for name in names[20:])
    assert not any(name.encode() in files for name in names[:20])
    history.close()


def test_names_in_any_text_of_others_go_and_are_left_out_when_they_are_told_again(told: History):
    spoken = [
        happened(60 + n, reference=reference(BERT), place=text, body={"note": text})
        for n, text in enumerate(SPOKEN)
        if "x.de" not in text.lower()
    ]
    told.append(spoken, None)
    gone = erased(told)
    assert set(told.erasures.named(Names(gone.references)).values()) == {0}
    assert not any(name in texts(told) for name in ("2024561111", "anna"))
    again = told.append([replace(one, amount=3.0) for one in spoken], LATER)
    assert again.corrected == len(spoken)
    assert not any(name in texts(told) for name in ("2024561111", "anna"))


@pytest.mark.parametrize("cut_off", ["", "ab" * 31])
def test_a_secret_that_is_cut_off_is_refused(told: History, cut_off: str):
    assert told.tombstones.file is not None
    told.tombstones.file.write_text(cut_off)
    with pytest.raises(StoreError, match=f"found: {len(cut_off) // 2} bytes rather than 32"):
        erased(told)


def test_nothing_that_an_erased_customer_was_asked_about_stays_in_memory(told: History):
    desk, said = desk_of(told, AS_OF), "-".join(("a", "zebra", "named", "Quetzal"))
    for language in ("en", "ko"):
        desk.decide(Ask(customer=ANNA, channel="phone", offers=3, language=language, context={"topic": said}))
    assert kept_in_memory(said)
    erased(told)
    desk.clock = lambda: LATER
    desk.decide(Ask(customer=BERT, channel="phone"))
    assert not kept_in_memory(said)


def kept_in_memory(said: str) -> list[str]:
    """List whatever holds some text, beside it itself."""
    gc.collect()
    held = [one for one in gc.get_objects() if isinstance(one, dict | list | tuple)]
    texts = [text for one in held for text in (*one, *(one.values() if isinstance(one, dict) else ()))]
    return [text for text in texts if isinstance(text, str) and said in text and text != said]
