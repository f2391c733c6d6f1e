"""The grades of a bundle, the best first."""

from collections.abc import Mapping
from typing import Any

GRADES = ("A", "B", "C", "refused")
REFUSED = GRADES.index("refused")


def rank(told: Mapping[str, Any]) -> int:
    """Tell the place of the grade that tags or a manifest tell; beyond the last where they tell none.

    >>> rank({"grade": "B"}), rank({})
    (1, 4)
    """
    grade = told.get("grade")
    return GRADES.index(grade) if grade in GRADES else len(GRADES)
