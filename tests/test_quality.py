"""The quality report: drift, lateness, repeats and what is lacking, by law and by hand."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.clock import microseconds
from features.contract import CONTRACT
from features.drift import greatest_distance, stability_index
from features.errors import InputError, NotEnoughData
from features.events import Interaction
from features.history import History
from features.quality import QUARTER, Lateness, Missing, Repeats, assess, lateness_of, missing_of, repeats_of
from holdfast.app import app
from tests.desks import NOW, stocked
from tests.making import AS_OF, filled, happened, histories

DAY = timedelta(days=1)
VALUES = st.one_of(st.sampled_from([0.0, 0.0, 1.0, 7.0, float("nan")]), st.floats(-1e6, 1e6, allow_nan=False))
SAMPLES = st.lists(VALUES, min_size=1, max_size=60).map(np.array)


@given(sample=SAMPLES, seed=st.integers(0, 9))
def test_a_sample_has_not_drifted_from_itself_in_any_order(sample: np.ndarray, seed: int):
    shuffled = np.random.default_rng(seed).permutation(sample)
    assert stability_index(sample, shuffled) == 0.0
    assert greatest_distance(sample, shuffled) == (None if np.isnan(sample).all() else 0.0)


@given(before=SAMPLES, after=SAMPLES)
def test_no_index_is_negative_and_the_distance_is_a_share_whichever_comes_first(before: np.ndarray, after: np.ndarray):
    assert stability_index(before, after) >= 0.0
    distance = greatest_distance(before, after)
    assert distance == greatest_distance(after, before)
    assert distance is None or 0.0 <= distance <= 1.0


@given(sample=SAMPLES, times=st.integers(2, 4))
def test_the_same_shares_of_more_customers_are_no_drift(sample: np.ndarray, times: int):
    assert stability_index(sample, np.tile(sample, times)) == pytest.approx(0.0, abs=1e-12)
    assert greatest_distance(sample, np.tile(sample, times)) in (0.0, None)


@pytest.mark.parametrize("moved", [3.0, 7.0, float("nan")])
def test_a_value_that_everybody_had_is_missed_when_it_falls_rises_or_is_unknown(moved: float):
    assert stability_index(np.full(50, 5.0), np.full(50, moved)) > 1.0


def test_unknown_is_a_bin_of_its_own_and_not_the_highest():
    spread = np.arange(100.0)
    # The highest decile is left with half a customer, and unknown grows from half a one to ten.
    expected = 2 * (0.1 - 0.005) * np.log(0.1 / 0.005)
    assert stability_index(spread, np.where(spread >= 90, np.nan, spread)) == pytest.approx(expected)


def test_a_shift_of_ties_counts_by_their_shares():
    before, after = np.array([0.0] * 95 + [1.0] * 5), np.array([0.0] * 85 + [1.0] * 15)
    expected = 0.1 * np.log(0.95 / 0.85) + 0.1 * np.log(0.15 / 0.05)
    assert stability_index(before, after) == pytest.approx(expected)
    assert greatest_distance(before, after) == pytest.approx(0.1)


def test_an_even_spread_is_cut_into_deciles():
    spread = np.arange(100.0)
    # The upper half falls on the lower five deciles: five bins double, and five are left with half a customer.
    expected = 5 * 0.1 * np.log(2) + 5 * (0.1 - 0.005) * np.log(0.1 / 0.005)
    assert stability_index(spread, spread // 2) == pytest.approx(expected)


def recorded(number: int, days_ago: float, **given) -> Interaction:
    return happened(number, occurred_at=AS_OF - days_ago * DAY, **given)


def test_every_feature_is_compared_and_the_most_moved_comes_first(history: History):
    customers = [happened(place, occurred_at=AS_OF - (40 + place) * DAY, amount=5.0) for place in range(9)]
    filled(history, customers)
    found = assess(history.known_by(AS_OF), AS_OF - 10 * DAY)
    assert sorted(one.feature for one in found.drift) == sorted(CONTRACT.names)
    indices = [one.index for one in found.drift]
    assert indices == sorted(indices, reverse=True)
    by_name = {one.feature: one for one in found.drift}
    tenure, age = by_name["tenure_days"], by_name["attribute_age"]
    assert (tenure.mean_before, tenure.mean_after, tenure.distance) == (38.0, 48.0, 1.0)
    assert tenure.verdict == "drifted"
    assert (age.index, age.distance, age.mean_after, age.unknown_before) == (0.0, None, None, 1.0)
    assert age.verdict == "steady"


def test_the_verdict_is_the_fields(history: History):
    filled(history, [happened(1)])
    known = history.known_by(AS_OF)
    (one, *_) = assess(known, AS_OF - DAY + timedelta(seconds=1)).drift
    verdicts = [replace(one, index=index).verdict for index in (0.0, 0.0999, 0.1, 0.25, 0.2501)]
    assert verdicts == ["steady", "steady", "moved", "moved", "drifted"]


@settings(max_examples=15)
@given(happenings=histories(), copies=st.integers(1, 5))
def test_copies_of_an_event_are_repeats_and_no_event_is_one_alone(
    new_history: Callable[[], History], happenings: list[Interaction], copies: int
):
    one = happened(10**10, product="only here", amount=12.34)
    again = [replace(one, id=f"copy{place}", recorded_at=AS_OF) for place in range(copies)]
    different = [replace(one, id=f"other{place}", amount=20.0 + place) for place in range(copies)]
    others = filled(new_history(), happenings).known_by(AS_OF).events
    every = filled(new_history(), [*happenings, one, *again, *different]).known_by(AS_OF).events
    start = AS_OF - 30_000 * DAY
    plain, found = ({one.kind: one for one in repeats_of(events, start)} for events in (others, every))
    before = plain.get("purchase", Repeats("purchase", 0, 0, 0.0))
    assert found["purchase"].repeats == before.repeats + copies
    assert found["purchase"].events == before.events + 1 + 2 * copies
    assert {**found, "purchase": None} == {**plain, "purchase": None}


def test_a_repeat_of_an_event_from_before_the_period_counts(history: History):
    one = recorded(1, 30, product="p1")
    filled(history, [one, replace(one, id="again", recorded_at=AS_OF)])
    assert repeats_of(history.known_by(AS_OF).events, AS_OF - DAY) == (Repeats("purchase", 1, 1, 1.0),)


def test_lateness_is_told_in_days_by_kind_and_channel(history: History):
    hours = [0, 6, 12, 24, 25]
    late = [recorded(n, 9, channel="web", recorded_at=AS_OF - 9 * DAY + n * DAY / 24) for n in hours]
    early = recorded(99, 2, kind="visit", channel="field", recorded_at=AS_OF - 3 * DAY)
    filled(history, [*late, early])
    found = lateness_of(history.known_by(AS_OF).events)
    assert found == (
        Lateness("purchase", "web", 5, 0.5, pytest.approx(24.6 / 24), pytest.approx(24.96 / 24), 0.2, 0.0),
        Lateness("visit", "field", 1, -1.0, -1.0, -1.0, 0.0, 1.0),
    )


def test_what_is_lacking_is_told_as_shares_of_a_kind(history: History):
    filled(
        history,
        [
            recorded(1, 1, product="p1", place="north", channel="web", margin=1.0, amount=3.0),
            recorded(2, 2, product="not in the catalogue", channel="web", amount=3.0),
            recorded(3, 3, product="", amount=0.0),
            recorded(4, 4, product="p2", amount=3.0),
            recorded(5, 5, kind="campaign", product="spring", channel="mail"),
        ],
    )
    assert missing_of(history.known_by(AS_OF).events) == (
        Missing("purchase", 4, product=0.25, catalogue=0.25, margin=0.75, place=0.75, channel=0.5, amount=0.25),
        Missing("campaign", 1, product=0.0, catalogue=None, margin=1.0, place=1.0, channel=0.0, amount=None),
    )


def test_only_what_was_recorded_in_the_period_is_reported_on(history: History):
    filled(history, [recorded(1, 200), recorded(2, 91, kind="visit"), recorded(3, 90, kind="inquiry"), recorded(4, 0)])
    found = assess(history.known_by(AS_OF))
    assert (found.start, found.end, found.events) == (AS_OF - QUARTER, AS_OF, 2)
    kinds = {"inquiry", "purchase"}
    assert {one.kind for part in (found.lateness, found.missing, found.repeats) for one in part} == kinds
    assert (found.before, found.after) == (1, 1)


def test_a_young_history_is_compared_with_its_first_half(history: History):
    filled(history, [recorded(1, 40), recorded(2, 1)])
    assert assess(history.known_by(AS_OF)).start == AS_OF - 20 * DAY


def test_a_report_on_nothing_says_what_to_do(history: History):
    with pytest.raises(NotEnoughData) as refused:
        assess(history.known_by(AS_OF))
    assert str(refused.value) == (
        "expected a history to report on, found nothing recorded by 2024-03-01T12:00:00+00:00; ingest some with"
        " holdfast ingest PATH… --source NAME, or choose a later --to"
    )
    with pytest.raises(NotEnoughData, match="found nothing recorded by"):
        assess(history.known_by(AS_OF), AS_OF - DAY)
    filled(history, [recorded(1, 3)])
    with pytest.raises(NotEnoughData) as refused:
        assess(history.known_by(AS_OF), AS_OF - 4 * DAY)
    assert str(refused.value) == (
        "expected customers with a history by 2024-02-26T12:00:00+00:00 to compare with, found none; choose a later"
        " --from: the first event was recorded at 2024-02-27T12:00:00+00:00"
    )
    with pytest.raises(InputError, match="start before its end 2024-03-01T12:00:00"):
        assess(history.known_by(AS_OF), AS_OF)


def test_rows_of_two_moments_are_those_of_what_was_known_then(history: History):
    filled(history, [recorded(1, 30, amount=5.0), recorded(2, 20, amount=7.0, recorded_at=AS_OF - DAY)])
    known = history.known_by(AS_OF)
    spend = {one.feature: one for one in assess(known, AS_OF - 10 * DAY).drift}["spend"]
    assert (spend.mean_before, spend.mean_after) == (5.0, 12.0)
    assert known.events["recorded_at"].max() == microseconds(AS_OF - DAY)


def test_the_command_prints_the_report_and_writes_picture_page_and_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_CLOCK", "history")
    monkeypatch.delenv("HOLDFAST_DATABASE_URL", raising=False)
    history = stocked(History(f"sqlite:///{tmp_path / 'data' / 'history.db'}"))
    history.append(
        [happened(1, occurred_at=NOW - DAY / 2, recorded_at=NOW - DAY / 4, kind="visit", channel="field")], None
    )
    history.close()
    done = CliRunner().invoke(app, ["quality", "--to", "2018-01-02T10:00", "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    files = [Path(file) for file in answer.pop("files")]
    assert {file.parent for file in files} == {tmp_path / "data" / "quality"}
    drawn, page, numbers = (file.read_text(encoding="utf-8") for file in files)
    assert json.loads(numbers) == answer
    assert len(answer["drift"]) == len(CONTRACT.names)
    assert drawn.startswith("<svg")
    assert all(word in drawn for word in ("population stability index", "0.25", answer["drift"][0]["feature"], "visit"))
    assert all(name in page for name in CONTRACT.names)
    assert "| visit, field | 1 | 6.0 h | 6.0 h | 6.0 h | 0.0% | 0.0% |" in page

    shown = CliRunner().invoke(app, ["quality", "--to", "2018-01-02T10:00", "--out", str(tmp_path / "report")])
    assert shown.exit_code == 0, shown.output
    assert "Lateness of" in shown.stdout
    assert sorted(file.suffix for file in (tmp_path / "report").iterdir()) == [".json", ".md", ".svg"]
    refused = CliRunner().invoke(app, ["quality", "--out", str(files[0])])
    assert isinstance(refused.exception, InputError)
    assert "expected --out as a folder, found the file" in str(refused.exception)
