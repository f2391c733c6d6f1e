"""What was brought beside people left alone: right on average, as sure as said at every look, or told as too early."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.contract import CONTRACT
from features.errors import InputError, NotEnoughData
from holdfast.app import app
from tests.test_effects import came, logged
from training.lift import People, by_person, compared, difference, enough, lift, lift_once, moments
from training.lifted import compare, from_file, from_log
from training.sample_ratio import sample_ratio
from training.sequential import looks, reaches
from training.skewness import bounds


def drawn(seed: int, people: int = 2_000, effect: float = 0.0, days: int = 60) -> People:
    """People of whom what came before explains half of what comes."""
    random = np.random.default_rng(seed)
    before, treated = random.normal(size=people), random.random(people) < 0.4
    totals = before + random.normal(size=people) + effect * treated
    day = np.sort(random.integers(0, days, people))
    return People(treated, totals, np.ones(people), before[:, None], day)


def test_what_people_did_before_narrows_the_interval_and_moves_nothing() -> None:
    gaps, narrowed = [], []
    for seed in range(60):
        told = compared("value", drawn(seed, effect=0.2), 1.96, 1)
        gaps.append(told.difference - 0.2)
        narrowed.append(told.narrowed)
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / 60**0.5
    assert np.mean(narrowed) == pytest.approx(1 - 0.5**0.5, abs=0.02)


def test_intervals_hold_at_every_look_about_as_often_as_said() -> None:
    """Seven tenths of the runs would see a false alarm, were each look's interval by itself a 95 % one."""
    held = alone = 0
    for seed in range(120):
        people = drawn(seed, 1_200)
        days, closes = np.unique(people.day, return_counts=True)
        counted = np.cumsum(closes)
        seen = looks(counted, 100)
        reach = reaches([int(counted[place]) for place in seen])
        parts = [people.only(people.day <= days[place]) for place in seen]
        told = [compared("value", part, one, 1) for part, one in zip(parts, reach, strict=True)]
        naive = [compared("value", part, 1.96, 1) for part in parts]
        held += all(one.low <= 0 <= one.high for one in told)
        alone += all(one.low <= 0 <= one.high for one in naive)
    assert 0.91 <= held / 120 <= 0.995
    assert alone / 120 < 0.85


def test_the_error_is_spent_as_planned() -> None:
    """A walk drawn at the looks' own moments leaves its bounds as often as their share of the error."""
    people = [100 * number for number in range(1, 31)]
    reach = np.array(reaches(people))
    steps = np.random.default_rng(1).normal(size=(40_000, 30)) * 10.0
    walk = steps.cumsum(axis=1) / np.sqrt(people)
    left = (np.abs(walk) > reach).any(axis=1).mean()
    assert left == pytest.approx(0.05 * (1 - 0.75 / 30), abs=0.004)
    assert (np.abs(walk[:, 0]) > reach[0]).mean() == pytest.approx(0.0125, abs=0.002)


def test_too_few_people_are_told_and_not_guessed_from() -> None:
    with pytest.raises(NotEnoughData, match=r"expected at least 50 people in each group .* too early to tell"):
        lift("value", drawn(1, people=80))


def test_lopsided_money_needs_more_people() -> None:
    random = np.random.default_rng(4)
    people = drawn(1, people=400)
    money = People(people.treated, np.exp(2.5 * random.normal(size=400)), people.counts, people.before, people.day)
    assert enough(people)
    assert not enough(money)


def test_a_small_group_is_judged_by_the_tail_of_both() -> None:
    """Its own large amounts may only be still to come."""
    random = np.random.default_rng(4)
    treated = np.arange(4_000) >= 400
    money = np.where(treated, np.exp(1.5 * random.normal(size=4_000)), random.random(4_000))
    day = np.sort(random.integers(0, 60, 4_000))
    assert not enough(People(treated, money, np.ones(4_000), np.zeros((4_000, 0)), day))
    assert enough(People(treated, np.minimum(money, 1.0), np.ones(4_000), np.zeros((4_000, 0)), day))


def test_looks_go_on_once_begun() -> None:
    people = drawn(2, days=10)
    late = People(
        people.treated, np.where(people.day == 9, people.totals**9, people.totals), people.counts,
        people.before[:, :0], people.day,
    )  # fmt: skip
    begun = [day for day, _ in moments(people)]
    assert not enough(late)
    assert [day for day, _ in moments(late)] == begun


def test_nothing_is_told_of_what_has_not_happened_yet() -> None:
    people = drawn(1)
    none = People(people.treated, np.zeros(len(people.day)), people.counts, people.before, people.day)
    with pytest.raises(NotEnoughData, match="too early to tell"):
        lift("complaints", none)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    people, order = drawn(seed, 300), np.random.default_rng(seed).permutation(300)
    told, again = difference(people), difference(people.only(order))
    assert told.estimate == pytest.approx(again.estimate, abs=1e-12)
    assert told.error == pytest.approx(again.error, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_a_person_told_several_times_is_no_more_certain(seed: int, times: int) -> None:
    people = drawn(seed, 300)
    names = [str(place) for place in range(300)]
    once = by_person(names, people.treated, people.totals, people.before, people.day)
    often = by_person(
        names * times, np.tile(people.treated, times), np.tile(people.totals, times),
        np.tile(people.before, (times, 1)), np.tile(people.day, times),
    )  # fmt: skip
    assert difference(often).error == pytest.approx(difference(once).error, rel=1e-9)
    assert difference(often).estimate == pytest.approx(difference(once).estimate, rel=1e-9)


def test_a_person_in_both_groups_is_refused() -> None:
    people = drawn(1, 10)
    treated = np.array([True, False] * 5)
    with pytest.raises(NotEnoughData, match="expected every person in one group, found 1 in both"):
        by_person(["a"] * 10, treated, people.totals, people.before, people.day)


def test_bounds_of_lopsided_means_reach_further_to_where_the_tail_is() -> None:
    tail = np.exp(1.5 * np.random.default_rng(3).normal(size=400))
    low, high = bounds(float(tail.mean()), tail - tail.mean())
    assert high - tail.mean() > 1.2 * (tail.mean() - low)


def test_sizes_as_planned_raise_no_alarm_though_looked_at_every_day() -> None:
    alarms = 0
    for seed in range(200):
        groups = np.random.default_rng(seed).random(4_000) < 0.05
        alarms += any(
            sample_ratio({"a": int(groups[:n].sum()), "b": n - int(groups[:n].sum())}, {"a": 0.05, "b": 0.95}).mismatch
            for n in range(100, 4_000, 100)
        )
    assert alarms <= 2


def test_a_group_that_loses_people_is_found() -> None:
    found = sample_ratio({"hold_out": 380, "policy": 9_500}, {"hold_out": 0.05, "policy": 0.95})
    assert found.mismatch
    assert "Don't trust the lift" in found.said()
    assert sample_ratio({"a": 1}, {"b": 1.0}).p_value == 0.0


def test_everybody_counts_once_from_the_first_decision_of_the_experiment() -> None:
    log = logged(np.zeros((4, len(CONTRACT.names))), [True, False, True, True], 0.1)
    log = type(log)(**{**vars(log), "customers": ("a", "b", "a", "c"), "salts": ("x", "x", "x", "old"),
                       "groups": ("random", "hold_out", "random", "random")})  # fmt: skip
    then = came(np.array([True, False, False, True]))
    people = from_log(log, type(then)(**{**vars(then), "incentives": np.array([1.0, 0.0, 2.0, 4.0])}), 28, "x")
    assert people.names == ("a", "b")
    assert people.metrics["retention"].tolist() == [1.0, 0.0]
    assert people.metrics["profit net of incentives"].tolist() == [-3.0, 0.0]
    assert dict(people.counted) == {"random": 1, "hold_out": 1}


def trial_file(folder: Path) -> Path:
    people = drawn(8, 3_000, effect=0.3)
    arms = np.where(people.treated, "mail", "none")
    frame = pl.DataFrame({"arm": arms, "spent": people.totals, "before": people.before[:, 0], "day": people.day})
    frame.write_csv(folder / "trial.csv")
    return folder / "trial.csv"


def test_a_file_that_nobody_here_has_seen_is_compared(tmp_path: Path) -> None:
    file = str(trial_file(tmp_path))
    options = ["--group", "arm", "--outcome", "spent", "--before", "before", "--at", "day", "--control", "none"]
    asked = ["lift", "--file", file, *options, "--shares", "mail=0.4,none=0.6", "--json"]
    told = json.loads(CliRunner().invoke(app, asked).stdout)
    (found,) = told["lifts"]
    assert found["low"] < 0.3 < found["high"]
    assert found["verdict"] == "helps"
    assert found["narrowed"] > 0.2
    assert found["looks"] > 10
    assert not told["sample_ratio"]["mismatch"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"group": "arms"}, "expected the columns arms, found arm, spent, before, day; name others"),
        (
            {"outcomes": ["arm"]},
            "expected numbers, or yes and no, in --outcome arm, found String such as “none”; name another column",
        ),
        (
            {"at": "arm"},
            "expected a date or a whole number in --at arm of every row, found 'none' (3,000 such rows); leave these"
            " rows out",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told_why(changed: dict[str, object], message: str, tmp_path: Path) -> None:
    frame = pl.read_csv(trial_file(tmp_path)).sort("arm", descending=True)
    asked = {"group": "arm", "outcomes": ["spent"], "before": [], "person": None, "at": None} | changed
    with pytest.raises(InputError) as found:
        from_file(frame, **asked)  # type: ignore[arg-type]
    assert str(found.value) == message


def test_what_is_unknown_or_endless_is_left_out_and_said_so(tmp_path: Path) -> None:
    frame = pl.read_csv(trial_file(tmp_path)).with_row_index("row").with_columns(
        spent=pl.when(pl.col("row") < 7).then(float("inf")).when(pl.col("row") > 11).then("spent"),
        before=pl.when(pl.col("row") == 20).then(float("nan")).otherwise(pl.col("before")),
        yes=pl.when(pl.col("spent") > 0).then(pl.lit("yes")).otherwise(pl.lit("no")),
    )  # fmt: skip
    people = from_file(frame, "arm", ["spent", "yes"], ["before"], None, None)
    assert people.left_out == 12
    assert np.isfinite(people.before).all()
    assert set(people.metrics["yes"].tolist()) == {0.0, 1.0}
    frame.write_csv(tmp_path / "odd.csv")
    asked = ["lift", "--file", str(tmp_path / "odd.csv"), "--group", "arm", "--outcome", "spent", "--control", "none"]
    assert "Left out: 12 rows without a group, a person or an outcome." in CliRunner().invoke(app, asked).stdout


def test_names_with_brackets_are_shown_as_they_are(tmp_path: Path) -> None:
    frame = pl.read_csv(trial_file(tmp_path)).with_columns(arm=pl.col("arm").replace("mail", "[/red]mail"))
    frame.write_csv(tmp_path / "odd.csv")
    asked = ["lift", "--file", str(tmp_path / "odd.csv"), "--group", "arm", "--outcome", "spent", "--control", "none"]
    shown = CliRunner().invoke(app, asked, catch_exceptions=False).stdout
    assert "[/red]mail 1,144 (planned 50.0%)" in shown
    assert shown.count("[/red]") >= 2


def test_what_only_a_file_has_is_not_asked_of_the_log() -> None:
    with pytest.raises(InputError, match=r"expected --file with --outcome, --before, --person, --at or --shares"):
        CliRunner().invoke(app, ["lift", "--outcome", "bought"], catch_exceptions=False)


def test_what_is_too_early_to_tell_is_listed_with_the_reason(tmp_path: Path) -> None:
    frame = pl.read_csv(trial_file(tmp_path)).head(60)
    (found,) = compare(from_file(frame, "arm", ["spent"], [], None, "day"), "none")
    assert found.lift is None
    assert "too early to tell" in str(found.why)


def test_data_looked_at_once_is_as_sure_as_one_look_allows() -> None:
    held = 0
    for seed in range(300):
        told = lift_once("value", drawn(seed, 400))
        held += told.low <= 0 <= told.high
    assert 0.92 <= held / 300 <= 0.98


def test_lopsided_data_looked_at_once_is_said_to_be_rough(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    arms = np.where(random.random(400) < 0.5, "mail", "none")
    frame = pl.DataFrame({"arm": arms, "spent": np.exp(2.5 * random.normal(size=400))})
    (found,) = compare(from_file(frame, "arm", ["spent"], [], None, None), "none", once=True)
    assert found.lift is not None
    assert str(found.why).startswith("so lopsided that ")
