import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import check_cv

from training.splitting import CutoffSplit, cutoffs_of

START = pd.Timestamp("2024-01-01", tz="UTC")
WEEKS = pd.DatetimeIndex([START + pd.Timedelta(weeks=place) for place in range(20)])


def rows_at(moments: pd.DatetimeIndex) -> pd.DataFrame:
    customers = [str(place) for place in range(len(moments))]
    return pd.DataFrame(index=pd.MultiIndex.from_arrays([customers, moments], names=["customer", "as_of"]))


@st.composite
def plans(draw: st.DrawFn) -> tuple[pd.DatetimeIndex, CutoffSplit]:
    """Rows at any moments, in any order, and a horizon."""
    days = draw(st.lists(st.integers(0, 200), min_size=2, max_size=60))
    moments = pd.DatetimeIndex([START + pd.Timedelta(days=day) for day in days])
    return moments, CutoffSplit(draw(st.integers(1, 60)), draw(st.integers(1, 3)))


def splits(split: CutoffSplit, moments: pd.DatetimeIndex) -> list[tuple[np.ndarray, np.ndarray]]:
    try:
        return list(split.split(rows_at(moments)))
    except ValueError:
        return []


@given(plans())
def test_no_label_of_a_row_that_is_fitted_on_overlaps_the_window_that_is_tried(plan):
    moments, split = plan
    found = splits(split, moments)
    assume(found)
    span = pd.Timedelta(days=split.horizon_days)
    assert len(found) == split.get_n_splits()
    ends = []
    for fitted, tried in found:
        assert len(fitted) > 0
        assert moments[tried].nunique() == 1
        assert (moments[fitted] + span).max() <= moments[tried].min()
        # Nothing that could be fitted on, and nothing of the cutoff, is left out.
        assert len(fitted) == (moments + span <= moments[tried][0]).sum()
        assert len(tried) == (moments == moments[tried][0]).sum()
        assert not ends or moments[tried].min() >= ends[-1]
        ends.append(moments[tried].max() + span)
    assert found[-1][1].tolist() == np.flatnonzero(moments == moments.max()).tolist()


@given(plans(), st.integers(0, 100))
def test_the_order_of_rows_changes_no_split(plan, seed: int):
    moments, split = plan
    order = np.random.default_rng(seed).permutation(len(moments))
    plain, shuffled = splits(split, moments), splits(split, moments[order])
    assert len(plain) == len(shuffled)
    for ours, theirs in zip(plain, shuffled, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert sorted(one) == sorted(order[other])


def test_cutoffs_are_read_from_groups_as_from_the_index():
    moments = WEEKS.repeat(2)
    split = CutoffSplit(14, n_splits=2)
    wanted = [[part.tolist() for part in pair] for pair in split.split(rows_at(moments))]
    bare = np.zeros((len(moments), 1))
    for groups in (
        moments,
        moments.to_pydatetime(),
        moments.tz_localize(None).to_numpy(),
        moments.strftime("%Y-%m-%d"),
    ):
        assert [[part.tolist() for part in pair] for pair in split.split(bare, groups=groups)] == wanted
    assert cutoffs_of(bare, [0] * len(bare)).nunique() == 1


def test_scikit_learn_takes_it_and_shows_it():
    split = CutoffSplit(14, n_splits=2)
    assert check_cv(split) is split
    assert repr(split) == "CutoffSplit(horizon_days=14, n_splits=2)"


@pytest.mark.parametrize(
    ("split", "X", "said"),
    [
        (
            CutoffSplit(28, n_splits=5), rows_at(WEEKS),
            "expected cutoffs for 5 splits, each 28 days after another and with labels complete before it, found 4"
            " among 20 cutoffs; ask for fewer splits, or take samples with a shorter horizon",
        ),
        (
            CutoffSplit(14), np.zeros((3, 2)),
            'expected rows whose index has the level "as_of", as those of training.samples, or the cutoffs as groups;'
            " found ndarray without either",
        ),
        (
            CutoffSplit(0), rows_at(WEEKS),
            "expected a horizon of some days and one split or more, found horizon_days=0 and n_splits=3",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_split_is_said(split: CutoffSplit, X, said: str):
    with pytest.raises(ValueError, match="expected") as refused:
        list(split.split(X))
    assert str(refused.value) == said
