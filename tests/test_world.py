"""The simulated world: seeded, part by part, and true to what it says of itself."""

import json
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from features.archive import Archive
from features.clock import from_microseconds
from features.contract import rows_of
from features.definitions import NAMES
from features.errors import InputError
from features.glossary import load_glossary
from features.history import History
from features.home import ROOT
from features.known import Known
from features.restoring import restore, stored
from holdfast.app import app
from holdfast.learning import plan_of
from training import labels
from training.boosting import Fit
from training.pipeline import train
from world.chances import LEFT_OVER
from world.future import continued, following
from world.operator import IDS, ITEM_OF, ITEMS, OFFERS, REASONS, SELLS
from world.part import live, make
from world.realism import GAPS, measured
from world.response import Money, expected_profit, respond, terms
from world.settings import END, Settings
from world.truth import Truth
from world.writing import write_world

SMALL = Settings(people=300, months=8, seed=3)
BIG = Settings(people=4_000, months=12, seed=5)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return make(BIG, 0).truth


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("world") / "small"
    write_world(SMALL, made, lambda name, done, total: None)
    return made


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def within(drawn: np.ndarray, expected: np.ndarray, errors: float = 4.5) -> bool:
    """Whether a share drawn lies within some standard errors of the mean of its probabilities."""
    spread = np.sqrt((expected * (1 - expected)).sum()) / len(expected)
    return bool(abs(drawn.mean() - expected.mean()) <= errors * max(spread, 1e-9))


def test_the_same_seed_makes_the_same_bytes(folder: Path, tmp_path: Path):
    write_world(SMALL, tmp_path / "again", lambda name, done, total: None)
    write_world(replace(SMALL, seed=4), tmp_path / "other", lambda name, done, total: None)
    assert bytes_of(folder) == bytes_of(tmp_path / "again")
    assert bytes_of(folder)["events/part-00000.parquet"] != bytes_of(tmp_path / "other")["events/part-00000.parquet"]


def test_a_part_alone_is_that_part_of_the_whole_whoever_works_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = Settings(people=4_100, months=6, seed=3)
    write_world(settings, tmp_path / "made", lambda name, done, total: None, workers=2)
    alone = make(settings, 1)
    assert len(alone.people) == 100
    assert alone.events.equals(pl.read_parquet(tmp_path / "made/events/part-00001.parquet"))
    assert Truth.read(tmp_path / "made").customers[-len(alone.truth) :] == alone.truth.customers


def test_an_archive_of_the_world_is_whole_and_says_that_it_is_simulated(folder: Path):
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["simulated"] is True
    assert manifest["events"] == Archive.open(folder).count()
    assert (manifest["seed"], manifest["people"]) == (3, 300)
    assert set(pl.read_parquet(folder / "events/part-00000.parquet")["source"]) == {"simulated"}


def test_the_operator_is_that_of_the_telecom_playbook():
    playbook = ROOT / "playbook" / "telecom"
    told = tomllib.loads((playbook / "offers.toml").read_text(encoding="utf-8"))["offer"]
    assert [(one["id"], one.get("item", ""), one["incentive_cost"], one["channels"]) for one in told] == [
        (offer.id, offer.item, offer.incentive, one["channels"]) for offer, one in zip(OFFERS, told, strict=True)
    ]
    assert all(offer.channel in one["channels"] for offer, one in zip(OFFERS, told, strict=True))
    margins = {item.type: item.margin for item in ITEMS}
    assert all(margins[one["item"]] == one["margin"] for one in told if "item" in one)
    reasons = tomllib.loads((playbook / "reasons.toml").read_text(encoding="utf-8"))["reasons"]
    assert {code: reasons[code]["sort"] for code in REASONS} == REASONS


def test_who_leaves_is_drawn_by_the_hazard_in_every_tenth_of_it(truth: Truth):
    hazard = truth.chances.hazard
    rounds = [respond(truth, [""] * len(truth), seed=9, decision=n).left for n in range(40)]
    for part in np.array_split(np.argsort(hazard), 10):
        drawn = np.stack([left[part] for left in rounds])
        assert within(drawn.ravel(), np.tile(hazard[part], 40))


def test_who_left_in_the_history_did_so_by_the_hazard_of_each_period():
    _, periods, _ = live(BIG, 0)
    quiet = [each.here & (each.responses.actions < 0) for each in periods]
    hazard = np.concatenate([each.chances.hazard[who] for each, who in zip(periods, quiet, strict=True)])
    left = np.concatenate([each.responses.left[who] for each, who in zip(periods, quiet, strict=True)])
    for part in np.array_split(np.argsort(hazard), 10):
        assert within(left[part], hazard[part])


@pytest.mark.parametrize("place", range(len(IDS)), ids=IDS)
def test_a_randomised_trial_finds_each_offers_true_effect(truth: Truth, place: int):
    found, count = truth.chances, len(truth)
    for number in range(6):
        did = respond(truth, [IDS[place]] * count, seed=21, decision=number)
        assert within(did.accepted, found.accepts[:, place])
        assert within(did.left, found.leaves[:, place])
        assert within(did.bought, found.buys_offered[:, place] if SELLS[place] else np.zeros(count))


def test_the_margin_that_comes_is_the_value_and_the_profit_that_was_expected(truth: Truth):
    profit = expected_profit(truth)
    for place in (-1, 2, 7, 5):
        actions = ["" if place < 0 else IDS[place]] * len(truth)
        drawn = [respond(truth, actions, seed=33, decision=number) for number in range(12)]
        came = np.concatenate([did.margin - did.incentives for did in drawn])
        error = came.std() / np.sqrt(len(came))
        assert abs(came.mean() - profit[:, place + 1].mean()) < 4.5 * error
    assert np.allclose(profit[:, 0], truth.chances.value)


def test_expected_profit_counts_money_as_it_is_given(truth: Truth):
    free, found = Money(np.zeros(1), np.zeros(1), np.zeros(1)), truth.chances
    recurring = expected_profit(truth, ["bill_discount"], free)[:, 1] - found.value
    assert np.allclose(
        expected_profit(truth, ["bill_discount"], replace(free, incentive=np.array([30_000.0])))[:, 1] - found.value,
        recurring - 30_000 * found.accepts[:, IDS.index("bill_discount")],
    )
    later = expected_profit(truth, ["bill_discount"], replace(free, horizons=2.0))[:, 1] - found.value
    assert np.allclose(later - recurring, 2 * found.value * found.keeps[:, IDS.index("bill_discount")])
    assert np.sign(recurring).tolist() == np.sign(LEFT_OVER * found.keeps[:, IDS.index("bill_discount")]).tolist()
    lent = terms(["handset_instalments"], loss_rate=0.01)
    assert lent.credit.tolist() == [9_000.0]


def test_effects_differ_and_dont_follow_risk_or_propensity(truth: Truth):
    found, discount = truth.chances, IDS.index("bill_discount")
    keeps = found.keeps[:, discount]
    assert 0.1 < (keeps < 0).mean() < 0.7
    by_risk = [keeps[part].mean() / found.hazard[part].mean() for part in np.array_split(np.argsort(found.hazard), 20)]
    best = int(np.argmax(by_risk))
    assert 9 < best < 20
    packs = IDS.index("data_pack")
    anyway, sold = found.buys[:, ITEM_OF[packs]], found.sells[:, packs]
    tenths = [sold[part].mean() for part in np.array_split(np.argsort(anyway), 20)]
    assert max(tenths) > 1.3 * tenths[-1]
    assert tenths[0] < max(tenths)


def test_answers_rest_on_the_person_and_the_decision_and_not_on_others(truth: Truth):
    which = np.arange(len(truth)) % 3 == 0
    whole = respond(truth, ["data_pack"] * len(truth), seed=1)
    some = respond(truth.keep(which), ["data_pack"] * int(which.sum()), seed=1)
    assert whole.margin[which].tolist() == some.margin.tolist()
    assert whole.accepted[which].tolist() == some.accepted.tolist()
    assert respond(truth, ["data_pack"] * len(truth), seed=1, decision=1).margin.tolist() != whole.margin.tolist()


def test_unknown_offers_and_people_are_refused(truth: Truth):
    with pytest.raises(InputError, match=r"expected offers among roaming_pass.*found 'free_lunch'"):
        respond(truth, ["free_lunch"] * len(truth), seed=1)
    with pytest.raises(InputError, match="expected an action for each of"):
        respond(truth, [""], seed=1)
    with pytest.raises(InputError, match="found customer:1"):
        truth.of(["customer:1"])


def test_the_truth_that_is_read_draws_as_the_truth_that_was_made(folder: Path):
    made, read = make(SMALL, 0).truth, Truth.read(folder)
    assert read.frame().equals(made.frame())
    actions = ["bill_discount"] * len(made)
    assert respond(read, actions, seed=2).margin.tolist() == respond(made, actions, seed=2).margin.tolist()
    assert read.of(made.customers[5:3:-1]).customers == made.customers[5:3:-1]


def test_what_was_drawn_is_what_the_labels_find_in_the_events_that_continue_the_history(
    history: History, folder: Path
):  # fmt: skip
    restore(history, Archive.open(folder), lambda name, done, total: None)
    truth = Truth.read(folder)
    did = respond(truth, ["data_pack"] * len(truth), seed=8)
    history.append_rows(stored(continued(SMALL, truth, did)), None)
    known, days = history.known_by(END + timedelta(days=28)), timedelta(days=28)
    ended = labels.ended(known, tuple(truth.customers), END, days)
    assert ended.tolist() == did.left.astype(float).tolist()
    accepted = known.events.filter((pl.col("kind") == "offer_accepted") & (pl.col("product") == "data_pack"))
    new = accepted.filter(pl.col("occurred_at") >= int(END.timestamp() * 1_000_000))
    assert set(new["customer"]) == {name for name, yes in zip(truth.customers, did.accepted, strict=True) if yes}
    quiet = continued(SMALL, truth, did, offers_told=False)
    assert not quiet["kind"].str.starts_with("offer_").any()


def test_the_next_period_has_whoever_stayed(truth: Truth):
    did = respond(truth, ["bill_discount"] * len(truth), seed=8)
    after = following(BIG, truth, did)
    assert len(after) == len(truth) - did.left.sum()
    assert after.when.period == truth.when.period + 1
    assert (after.mood.discount[did.accepted[~did.left]] == 6).all()


def test_a_recycled_number_belongs_to_one_customer_and_then_to_another():
    part = make(BIG, 0)
    unlinked = part.links.filter(pl.col("action") == "unlink")
    assert len(unlinked) > 5
    for former, phone, moment, _ in unlinked.head(5).iter_rows():
        linked = part.links.filter((pl.col("second") == phone) & (pl.col("action") == "link")).sort("recorded_at")
        assert linked["first"][0] == former
        assert linked["recorded_at"][1] > moment
        known = Known(END, part.events, tuple(part.links.iter_rows()), pl.DataFrame())
        then = known.at(from_microseconds(moment - 1)).links
        assert [link[0] for link in then if link[1] == phone] == [former]
        now = known.at(END).events
        assert former != linked["first"][1]
        assert {former, linked["first"][1]} <= set(now["customer"])
        assert set(now.filter(pl.col("reference") == phone)["customer"]) <= {linked["first"][1]}


def test_a_drift_raises_leaving_and_moves_tastes_from_its_date_on_and_nothing_before():
    still, date = make(BIG, 0), datetime(2026, 5, 1, tzinfo=UTC)
    moved = make(replace(BIG, drift=date), 0)
    before = [each for each in moved.periods if not each.when.drifted]
    assert 0 < len(before) < len(moved.periods)
    for each, other in zip(before, still.periods, strict=False):
        assert each.responses.margin.tolist() == other.responses.margin.tolist()
    first, same = moved.periods[len(before)], still.periods[len(before)]
    here = first.here
    assert first.chances.hazard[here].mean() > 1.3 * same.chances.hazard[here].mean()
    names = [item.type for item in ITEMS]
    shares = {
        name: [each.chances.tastes[here, names.index(name)].mean() for each in (first, same)]
        for name in ("MOVIES", "ROAMING PACK")
    }
    assert shares["MOVIES"][0] > shares["MOVIES"][1]
    assert shares["ROAMING PACK"][0] < shares["ROAMING PACK"][1]


def test_some_is_told_late_and_nothing_is_told_before_it_happened_or_after_the_end(folder: Path):
    events = pl.read_parquet(folder / "events/part-00000.parquet")
    late = (events["recorded_at"] > events["occurred_at"]).mean()
    assert 0.01 < late < 0.06
    assert (events["recorded_at"] >= events["occurred_at"]).all()
    assert events["recorded_at"].max() < int(END.timestamp() * 1_000_000)


def test_nobody_does_anything_after_the_end_of_the_contract(folder: Path):
    known = next(iter(Archive.open(folder).parts(END)))
    ends = known.events.filter(pl.col("kind") == "end").select("customer", end="occurred_at")
    accounts = known.events.filter(pl.col("reference").str.starts_with("customer:"))
    after = accounts.join(ends, on="customer").filter(pl.col("occurred_at") > pl.col("end"))
    assert len(ends) > 10
    assert after.is_empty()
    assert len(rows_of(known).customers) >= 250


def test_the_command_writes_a_world_that_ingest_takes_and_never_writes_over_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOLDFAST_PLAYBOOK", str(ROOT / "playbook" / "telecom"))
    to, run = tmp_path / "made", CliRunner()
    asked = ["simulate", "world", str(to), "--people", "60", "--months", "6"]
    made = run.invoke(app, asked, catch_exceptions=False)
    assert "Simulated" in made.output
    taken = run.invoke(app, ["ingest", str(to), "--json"], catch_exceptions=False)
    events = Archive.open(to).count()
    assert json.loads(taken.stdout)[0]["new"] == events
    again = run.invoke(app, ["ingest", str(to), "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)[0] == {"folder": str(to), "new": 0, "corrected": 0, "known": events, "erased": 0}
    with pytest.raises(InputError, match="expected a new or an empty folder for the simulated world"):
        run.invoke(app, asked, catch_exceptions=False)
    with pytest.raises(InputError, match="expected one of --people and --events, found neither"):
        run.invoke(app, asked[:3], catch_exceptions=False)
    with pytest.raises(InputError, match="expected a drift from"):
        run.invoke(
            app,
            [*asked[:2], str(tmp_path / "other"), "--people", "60", "--drift", "2020-01-01"],
            catch_exceptions=False,
        )
    assert not (tmp_path / "other").exists()


def test_the_page_lays_the_simulated_world_beside_real_sets_and_says_which_is_which(
    history: History, folder: Path, tmp_path: Path
):  # fmt: skip
    restore(history, Archive.open(folder), lambda name, done, total: None)
    to, run = tmp_path / "page.svg", CliRunner()
    asked = ["simulate", "compare", str(folder), "--real", f"Other={history.url}", "--out", str(to)]
    said = json.loads(run.invoke(app, [*asked, "--json"], catch_exceptions=False).stdout)
    assert [one["name"] for one in said] == ["Simulated (seed 3)", "Other"]
    page = to.read_text(encoding="utf-8")
    assert "Simulated (seed 3)" in page
    assert "Concentration" in page
    # With its bills, everybody of the other set has bought within 28 days or is gone.
    assert max(said[1]["lapses"]) < min(said[0]["lapses"])
    assert said[1]["ends"][0] > 0
    with pytest.raises(InputError, match="expected --real as NAME=URL"):
        run.invoke(app, [*asked[:4], "Other", *asked[5:]], catch_exceptions=False)


def test_lapses_are_of_those_who_were_active_before_and_bought_nothing_after():
    day = 86_400_000_000
    told = [("a", 0), ("a", 50), ("a", 90), ("b", 40), ("b", 60), ("c", 3)]
    events = pl.DataFrame(
        [{"customer": who, "occurred_at": at * day, "kind": "purchase", "type": "t", "amount": 10} for who, at in told]
    )
    found = measured("by hand", events, typed=False)
    assert found.lapses.tolist() == [0.5]
    assert found.repeats[0] == pytest.approx(2 / 3)
    assert found.gaps[GAPS.index(21)] == pytest.approx(1 / 3)
    with pytest.raises(InputError, match="expected 84 days of purchases or more in by hand, found 61"):
        measured("by hand", events.filter(pl.col("occurred_at") <= 60 * day), typed=False)


def test_training_on_a_simulated_world_gets_a_grade_and_no_alarm(history: History, tmp_path: Path):
    settings = Settings(people=1_200, months=6, seed=3)
    write_world(settings, tmp_path / "made", lambda name, done, total: None)
    restore(history, Archive.open(tmp_path / "made"), lambda name, done, total: None)
    plan = plan_of(load_glossary(ROOT / "playbook" / "telecom" / "glossary.toml", NAMES))
    trained = train(history.known_by(END), plan, Fit(trees=10), lambda name, done, total: None)
    assert trained.manifest["grade"] in ("A", "B", "C")
    assert trained.manifest["alarms"] == []
    found = {(figure.model, figure.metric): figure.ours for figure in trained.figures}
    assert 0.5 < found["churn", "AUC"] < 0.9
    assert found["next_purchase", "recall at 10"] < 0.95
