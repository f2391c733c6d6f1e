"""What is done at once, or left out, for the sake of speed comes to the same as one by one."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import lightgbm
import numpy as np
import pytest
import sqlalchemy as sa

from features.cache import CustomerCache
from features.clock import microseconds
from features.contract import CONTRACT
from features.definitions import FEATURES
from features.errors import ContractError, InputError
from features.formulas import Formulas
from features.history import History
from features.home import ROOT, Home
from features.identity import IdentityLink, Reference
from models.forest import MOST_LEAVES, Forest
from models.tree import trees_of
from models.trees import Together, Trees
from serving.bundle import fetch
from serving.callers import Caller, find_caller, find_callers
from serving.desk import Desk
from serving.opening import open_desk
from serving.requests import Ask
from tests.desks import desk_over
from tests.making import AS_OF, BOTH, filled, happened
from tests.properties.test_model_laws import rows_at_random
from training.boosting import Fit, boost

ENGINES = BOTH
Trained = tuple[Home, History, dict[str, Any]]


def alone(history: History, text: str) -> Caller | InputError:
    try:
        return find_caller(history, text, AS_OF, "US")
    except InputError as error:
        return error


@pytest.fixture(scope="module")
def champion(trained: Trained) -> Iterator[Desk]:
    desk = open_desk(trained[0], fetch(trained[0])[0])
    yield desk
    desk.history.close()


def grown(leaves: int, seed: int = 1) -> Trees:
    """Fit trees of exactly so many leaves, with unknown numbers among what they compare."""
    rows = rows_at_random(seed, 400)
    label = np.nan_to_num(rows).sum(axis=1) + np.arange(400) % 50
    shape = {"num_leaves": max(leaves, 2), "min_data_in_leaf": 1 if leaves > 1 else 400, "lambda_l2": 0.0}
    fitted = boost({"objective": "l2"}, rows, label, CONTRACT.names, Fit(seed, trees=12, parameters=shape))
    assert {len(tree.leaves) for tree in trees_of(fitted.booster)} == {leaves}
    return fitted


# As bits, leaves fit into words of 8, 16, 32 and 64.
@pytest.mark.parametrize("leaves", [1, 8, 16, 31, MOST_LEAVES])
def test_one_row_asked_of_many_boosters_at_once_gets_each_ones_own_answer(leaves: int) -> None:
    alone = [grown(leaves), grown(leaves, seed=2), grown(1)]
    shared = Together()
    for one in alone:
        shared.add(one.booster)
    rows = rows_at_random(5, 40)
    rows[0], rows[1], rows[2] = np.nan, np.inf, 0.0
    for row in rows[:, None, :]:
        for one in alone:
            both = Trees(one.booster, together=shared)
            assert both.scores(row).tolist() == one.scores(row).tolist()
            assert both.contributions(row).tolist() == one.contributions(row).tolist()
            assert both.contributions(row).sum() == pytest.approx(one.scores(row)[0], rel=1e-9)


def test_trees_that_one_row_cannot_go_through_are_refused() -> None:
    with pytest.raises(ContractError, match="of at most 64 leaves, found 65 leaves; train again"):
        Forest([trees_of(grown(MOST_LEAVES + 1).booster)], len(CONTRACT.names))
    kinds = np.arange(400.0)[:, None] % 7
    among = lightgbm.Dataset(kinds, kinds[:, 0] == 3, categorical_feature=[0])
    with pytest.raises(ContractError, match=r"expected trees that compare numbers, .* a comparison of kind 1"):
        Forest([trees_of(lightgbm.train({"verbosity": -1}, among, 1))], 1)


def test_one_customers_features_have_the_bits_that_many_customers_have() -> None:
    formulas, rng = Formulas(FEATURES), np.random.default_rng(8)
    # Aggregates are whole numbers, or unknown; some are equal, and some are nothing.
    found = rng.integers(-3, 12, (300, len(formulas.aggregates))) * 10.0 ** rng.integers(0, 12, (300, 1))
    found[rng.random(found.shape) < 0.1] = np.nan
    as_of = microseconds(AS_OF)
    with np.errstate(invalid="ignore"):
        many = formulas(as_of, found)
    assert np.array_equal(many, [formulas.row(as_of, one) for one in found], equal_nan=True)
    assert 0 < np.isnan(many).mean(axis=0).max() < 1


def test_many_customers_scored_at_once_get_the_numbers_of_one_by_one(champion: Desk, trained: Trained) -> None:
    as_of = datetime.fromisoformat(trained[2]["as_of"]) + timedelta(days=1)
    names = trained[1].known_by(as_of).events["reference"].unique().to_list()
    cache = CustomerCache(champion.history)
    events = [*cache.many([[name] for name in names], as_of), cache.events(["household:0"], as_of)]
    told = ("churn_risk", "churn_rank", "expected_value", "value_rank", "worth", "tier", "note")
    many, each = champion.scorer.score_many(events, as_of), [champion.scorer.score(one, as_of)[0] for one in events]
    assert [[getattr(one, name) for name in told] for one in many] == [
        [getattr(one, name) for name in told] for one in each
    ]
    assert len({one.expected_value for one in many}) > 20


def test_many_callers_are_found_as_one_by_one(history: History) -> None:
    filled(history, [happened(1), happened(2, reference=Reference("phone", "+12024561111"))])
    filled(history, [happened(3, reference=Reference("order", "7")), happened(4, reference=Reference("card", "7"))])
    history.link([IdentityLink(Reference("customer", "a"), Reference("phone", "+12024561111"), AS_OF)])
    texts = ["customer:a", "a", " a ", "(202) 456-1111", "nobody", "", "7", "card:7", "x" * 3, "phone:+12024561111"]
    found = find_callers(history, texts, AS_OF, "US")
    assert list(found) == texts
    for text in texts:
        assert str(found[text]) == str(alone(history, text))
    assert sum(isinstance(one, InputError) for one in found.values()) == 2


def test_a_decision_takes_at_most_two_connections_one_to_look_and_one_to_write(history: History) -> None:
    desk, taken = desk_over(history), list[object]()
    sa.event.listen(history._store._engine, "checkout", lambda *told: taken.append(told))
    desk.decide(Ask(customer="household:7", channel="phone"))
    assert 1 <= len(taken) <= 2


def test_a_worker_imports_lightgbm_without_what_only_training_needs() -> None:
    told = "import sys, serving.service; from serving import lean; lean.import_lightgbm()"
    check = "import serving.scorer; assert not {'pandas', 'sklearn', 'mlflow'} & {*sys.modules}; import pandas"
    assert subprocess.run([sys.executable, "-c", f"{told}; {check}"], cwd=ROOT, check=False).returncode == 0
