"""A declaration that doesn't hold together is refused where it is written, not where it is run."""

import pytest

from features.aggregates import Aggregate, Selection
from features.declare import PURCHASES
from features.errors import ContractError


@pytest.mark.parametrize(
    ("told", "expected", "found"),
    [
        ({"kinds": ("purchse",)}, "kinds among purchase, return, ", "('purchse',)"),
        ({"kinds": "purchase"}, "kinds among purchase, return, ", "'purchase'"),
        ({"kinds": ("purchase", "void")}, "kinds that stand", "('purchase', 'void')"),
        ({"kinds": ()}, "kinds that stand", "()"),
        ({"kinds": ("purchase",), "channels": ("stroe",)}, "channels among store, web, ", "('stroe',)"),
        ({"kinds": ("purchase",), "hours": (18, 30)}, "hours from 0 to 24", "(18, 30)"),
        ({"kinds": ("purchase",), "weekdays": (9,)}, "weekdays from 0 to 6", "(9,)"),
    ],
)
def test_a_selection_that_selects_nothing_is_refused(told, expected, found):
    with pytest.raises(ContractError) as refused:
        Selection(**told)
    assert str(refused.value).startswith(f"expected {expected}")
    assert str(refused.value).endswith(f"; found {found}")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (("median",), "expected an operation among total, smallest, largest, "),
        (("total", "amout"), "expected a column of total among one, quantity, amount, "),
        (("first", "amount"), "expected a column of first among moment, day; found 'amount'"),
        (("longest_gap", "product"), "expected a column of longest_gap among day; found 'product'"),
        (("total", "one", -7), "expected a window of a day or more; found -7"),
        (("last", "day", 28), "expected a window with total, smallest, largest, distinct only; found 'last'"),
        (("distinct", "day", None, 14), "expected a half-life with a total without a window only; found "),
        (("total", "one", None, 0), "expected a half-life of a day or more; found 0"),
        (("gap_quantile", "day", None, None, 100), "expected a parameter from 1 to 99; found 100"),
        (("streak", "one", None, None, 0), "expected a parameter from 1 to 3660; found 0"),
        (("total", "one", None, None, 7), "expected a parameter from 0 to 0; found 7"),
    ],
)
def test_an_aggregate_that_no_engine_could_compute_is_refused(told, message):
    operation, *more = told
    with pytest.raises(ContractError) as refused:
        Aggregate(operation, PURCHASES, *more)
    assert str(refused.value).startswith(message)
