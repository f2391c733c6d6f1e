from xml.etree import ElementTree

import numpy as np

from training import pictures
from training.metrics import Campaign

RNG = np.random.default_rng(2)
RISK = RNG.beta(1, 4, 400)
LAPSED = (RNG.random(400) < RISK).astype(float)


def _texts(svg: str) -> set[str]:
    return {element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")}


def test_each_picture_names_its_axes_and_every_order():
    rules = {"this model": RISK, "recency": RNG.random(400)}
    assert {"Churn risk predicted", "Share that lapsed"} <= _texts(pictures.reliability(LAPSED, RISK))
    assert {"this model", "recency", "any order", "Share of customers, from the top"} <= _texts(
        pictures.profit(LAPSED, rules, Campaign())
    )
    value = RNG.gamma(1.0, 10.0, 400)
    assert {"perfect order", "recency", "Share of value captured"} <= _texts(pictures.lorenz(value, rules))


def test_the_importance_picture_shows_the_fifteen_largest():
    shares = {f"feature {place}": place / 190 for place in range(20)}
    texts = _texts(pictures.importance("What is read", shares))
    assert {"What is read", "The 15 largest of 20 features", "feature 5", "feature 19"} <= texts
    assert "feature 4" not in texts


def test_a_few_customers_can_be_drawn():
    assert "Share that lapsed" in pictures.reliability(np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.5, 0.9]))
    assert "Profit a customer" in pictures.profit(LAPSED[:3], {"this model": RISK[:3]}, Campaign())
