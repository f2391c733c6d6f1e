"""A bundle: the three models and one manifest, as plain files; what training lays down and serving picks up.

manifest.json                     what it is, what it needs, how it was judged, and the hash of every other file
churn.json                        a sum of parts on the scale of log-odds; parts that are trees name their folder
value.json                        the same on the scale of logs, the interval with what its bounds start from, and each
                                  cost that is held; in place of it all, an order alone
next_purchase.json                calibration of next purchases; absent, as the next two, without named products
items.json, segments.json         the population's items, and what is popular among people alike
effects.json                      what offers were measured to change, by offer; absent where nothing was measured
proof.json                        made-up customers, and what the models say of them, to see by that they still do
trees/NAME/model.lgb, MLmodel     a booster as LightGBM's text, in the form that MLflow's LightGBM flavour loads

Never a pickle.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import lightgbm as lgb

from features.affinity import PAIR_FEATURES, ItemTable
from features.contract import CONTRACT, FeatureContract
from features.errors import ContractError
from features.segments import Segments
from models.additive import Additive, Part
from models.basis import Basis
from models.calibration import Calibration
from models.contrast import TREATED, Contrast, RegressionContrast
from models.effects import Effect, Effects
from models.hurdle import Hurdle
from models.lifetime import Lifetime, Process
from models.linear import Linear
from models.manifest import FORMAT, digest, manifest_of, read
from models.next_purchase import VISIT_FEATURES, NextPurchaseModel
from models.proof import Proof
from models.ranks import Ranks
from models.regression import Regression
from models.simulation import Simulation
from models.trees import Together, Trees
from models.value import Expense, Interval, QuantileTrees, ValueModel

_INTERVAL = ("typical", "knots", "below", "above")
_EFFECTS = ("wished", "staying")
_EFFECT = ("mean", "covariance", "typical", "centre", "positives", "decisions", "mature", "grade")
_LINEAR = ("names", "means", "spreads", "weights")
_PLAIN = {Lifetime: "lifetime", Regression: "regression", RegressionContrast: "regression_contrast", Linear: "linear"}
_FLAVOUR = f"""\
flavors:
  lightgbm:
    code: null
    data: model.lgb
    lgb_version: {lgb.__version__}
    model_class: lightgbm.basic.Booster
  python_function:
    data: model.lgb
    loader_module: mlflow.lightgbm
"""


@dataclass(frozen=True)
class Models:
    """The three models of one training; what too little happened to learn from only ranks."""

    churn: Additive | Ranks
    value: ValueModel | Ranks
    next_purchase: NextPurchaseModel | None
    effects: Effects = field(default_factory=Effects)


@dataclass(frozen=True)
class Bundle:
    """Three models with one manifest, loaded and checked."""

    hash: str
    version: str
    manifest: dict[str, Any]
    models: Models

    @property
    def as_of(self) -> datetime:
        """The moment up to which the bundle learned."""
        return datetime.fromisoformat(self.manifest["as_of"])

    @property
    def grade(self) -> str:
        """How it was judged: A, B or C."""
        return str(self.manifest["grade"])

    @property
    def effects(self) -> Effects:
        """What offers were measured to change."""
        return self.models.effects

    @property
    def basis(self) -> Basis:
        """What stands beside every score of it."""
        return Basis.of(self.manifest)


def write(folder: Path, models: Models, manifest: Mapping[str, Any]) -> str:
    """Write a bundle into an empty folder and return its hash (128 bits of BLAKE2b over its files)."""
    writer = _Writer(folder)
    churn, value = models.churn, models.value
    writer.json("churn.json", _ranks(churn) if isinstance(churn, Ranks) else writer.additive("churn", churn))
    writer.json("value.json", _ranks(value) if isinstance(value, Ranks) else writer.value(value))
    if models.next_purchase is not None:
        ranker = models.next_purchase
        trees = {"trees": ranker.trees, "visits": ranker.visits}
        said: dict[str, Any] = {name: writer.trees(f"next-purchase-{name}", one) for name, one in trees.items()}
        said |= {"calibration": asdict(ranker.calibration)}
        writer.json("next_purchase.json", said)
        writer.text("items.json", ranker.table.as_json())
        writer.text("segments.json", ranker.segments.as_json())
    if models.effects:
        told = {name: getattr(models.effects, name) for name in _EFFECTS}
        writer.json("effects.json", {name: writer.effects(name, measured) for name, measured in told.items()})
    writer.json("proof.json", Proof.of(churn, value, models.next_purchase, models.effects).as_dict())
    files = {str(path.relative_to(folder)): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    whole = {"format": FORMAT, **manifest, "files": files}
    writer.text("manifest.json", json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True))
    return digest(folder / "manifest.json")


class _Writer:
    """Writes a bundle's files, trees each into a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def additive(self, name: str, model: Additive) -> dict[str, Any]:
        parts = [self._part(f"{name}-{place}", part) for place, part in enumerate(model.parts, 1)]
        return {"link": model.link, "intercept": model.intercept, "weights": model.weights, "parts": parts}

    def value(self, value: ValueModel) -> dict[str, Any]:
        return {
            "expected": self.additive("value", value.expected),
            "interval": _told(value.interval),
            "start": self.start(value.interval.start),
            "expense": value.expense and self.expense(value.expense),
        }

    def expense(self, expense: Expense) -> dict[str, Any]:
        models = {name: self.additive(name, model) for name, model in expense.models.items()}
        return {"models": models, "interval": _told(expense.interval), "share": expense.share}

    def effects(self, name: str, effects: Mapping[str, Effect]) -> dict[str, Any]:
        return {offer: self.effect(f"{name}-{offer}", effect) for offer, effect in effects.items()}

    def effect(self, name: str, effect: Effect) -> dict[str, Any]:
        told = {field: getattr(effect, field) for field in _EFFECT}
        return told | {"learned": effect.learned and self.additive(f"effect-{name}", effect.learned)}

    def trees(self, name: str, trees: Trees) -> str:
        self.text(f"trees/{name}/model.lgb", trees.booster.model_to_string())
        self.text(f"trees/{name}/MLmodel", _FLAVOUR)
        return name

    def start(self, start: QuantileTrees | Simulation | None) -> dict[str, Any] | None:
        if isinstance(start, QuantileTrees):
            return {"trees": [self.trees("value-low", start.low), self.trees("value-high", start.high)]}
        return {"simulation": asdict(start)} if start else None

    def json(self, name: str, value: object) -> None:
        self.text(name, json.dumps(value, ensure_ascii=False, indent=1))

    def text(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _part(self, name: str, part: Part) -> dict[str, Any]:
        if isinstance(part, Trees):
            return {"trees": self.trees(name, part)}
        if isinstance(part, Hurdle):
            return {"hurdle": [self.trees(f"{name}-comes", part.comes), self.trees(f"{name}-amount", part.amount)]}
        if isinstance(part, Contrast):
            return {"contrast": {"trees": self.trees(name, part.trees), "link": part.link}}
        assert isinstance(part, (Lifetime, Regression, RegressionContrast, Linear))
        return {_PLAIN[type(part)]: asdict(part)}


def _ranks(ranks: Ranks) -> dict[str, Any]:
    return {"ranks": asdict(ranks)}


def load(folder: Path, version: str = "unregistered", threads: int = 1) -> Bundle:
    """Load a bundle from its folder, checking every file, the contract, and what it says of made-up customers.

    Raises RegistryError when a file is missing or differs, or the models say something else than when they were
    written; ContractError when it was trained on other features.
    """
    manifest = manifest_of(folder)
    CONTRACT.check(FeatureContract.from_dict(manifest["contract"]))
    reader, alone = _Reader(folder, threads, Together()), _Reader(folder, threads)
    churn, value = (read(folder / f"{name}.json") for name in ("churn", "value"))
    ranker = alone.ranker() if "next_purchase.json" in manifest["files"] else None
    models = Models(
        reader.ranks(churn) if "ranks" in churn else reader.additive(churn),
        reader.ranks(value) if "ranks" in value else reader.value(value),
        ranker,
        alone.effects() if "effects.json" in manifest["files"] else Effects(),
    )
    proof = Proof.from_dict(read(folder / "proof.json"))
    proof.check(models.churn, models.value, models.next_purchase, models.effects)
    return Bundle(digest(folder / "manifest.json"), version, manifest, models)


@dataclass(frozen=True)
class _Reader:
    """Reads what `_Writer` wrote; the trees that it reads for a customer's rows are asked `together` about one."""

    folder: Path
    threads: int
    together: Together | None = None

    def additive(self, told: Mapping[str, Any]) -> Additive:
        parts = tuple(self._part(part) for part in told["parts"])
        return Additive(told["link"], parts, tuple(told["weights"]), told["intercept"])

    def value(self, told: Mapping[str, Any]) -> ValueModel:
        interval = _interval(told["interval"], self.start(told["start"]))
        return ValueModel(self.additive(told["expected"]), interval, told["expense"] and self.expense(told["expense"]))

    def expense(self, told: Mapping[str, Any]) -> Expense:
        models = {name: self.additive(one) for name, one in told["models"].items()}
        return Expense(models, _interval(told["interval"], None), told["share"])

    def ranks(self, told: Mapping[str, Any]) -> Ranks:
        ranks = told["ranks"]
        return Ranks(_linear(ranks["order"]), tuple(ranks["knots"]), tuple(ranks["shares"]))

    def effects(self) -> Effects:
        told = read(self.folder / "effects.json")
        return Effects(**{name: {offer: self.effect(one) for offer, one in told[name].items()} for name in _EFFECTS})

    def effect(self, told: Mapping[str, Any]) -> Effect:
        numbers = {name: told[name] for name in _EFFECT if name not in ("mean", "covariance")}
        mean, covariance = tuple(told["mean"]), tuple(tuple(row) for row in told["covariance"])
        learned = told["learned"] and self.additive(told["learned"])
        return Effect(mean=mean, covariance=covariance, learned=learned, **numbers)

    def trees(self, name: str, columns: tuple[str, ...]) -> Trees:
        booster = lgb.Booster(model_str=(self.folder / "trees" / name / "model.lgb").read_text(encoding="utf-8"))
        if tuple(booster.feature_name()) != columns:
            raise ContractError(
                "expected the models' columns in the contract's order, found another; train again: holdfast train"
            )
        together = self.together if columns == CONTRACT.names else None
        if together is not None:
            together.add(booster)
        return Trees(booster, self.threads, together)

    def start(self, told: Mapping[str, Any] | None) -> QuantileTrees | Simulation | None:
        if told is None:
            return None
        [(kind, value)] = told.items()
        if kind == "trees":
            return QuantileTrees(*(self.trees(name, CONTRACT.names) for name in value))
        return Simulation(Process(**value["process"]), value["days"], tuple(value["levels"]))

    def ranker(self) -> NextPurchaseModel:
        told = read(self.folder / "next_purchase.json")
        points = told["calibration"]
        calibration = Calibration(tuple(points["scores"]), tuple(points["probabilities"]))
        table = ItemTable.from_json((self.folder / "items.json").read_text(encoding="utf-8"))
        segments = Segments.from_json((self.folder / "segments.json").read_text(encoding="utf-8"))
        trees, visits = self.trees(told["trees"], PAIR_FEATURES), self.trees(told["visits"], VISIT_FEATURES)
        return NextPurchaseModel(trees, visits, calibration, table, segments)

    def _part(self, told: Mapping[str, Any]) -> Part:
        [(kind, value)] = told.items()
        if kind == "trees":
            return self.trees(value, CONTRACT.names)
        if kind == "hurdle":
            return Hurdle(*(self.trees(name, CONTRACT.names) for name in value))
        if kind == "contrast":
            return Contrast(self.trees(value["trees"], (*CONTRACT.names, TREATED)), value["link"])
        return _plain(kind, value)


def _plain(kind: str, value: Mapping[str, Any]) -> Part:
    """Read a part that holds numbers alone."""
    if kind == "lifetime":
        return Lifetime(Process(**value["process"]), value["days"], value["says"], tuple(value["typical"]))
    if kind == "regression":
        return _regression(value)
    if kind == "regression_contrast":
        arms = _regression(value["treated"]), _regression(value["control"])
        return RegressionContrast(value["link"], *arms, tuple(value["intercepts"]))
    return _linear(value)


def _told(interval: Interval) -> dict[str, Any]:
    return {name: getattr(interval, name) for name in _INTERVAL}


def _interval(told: Mapping[str, Any], start: QuantileTrees | Simulation | None) -> Interval:
    typical, knots, below, above = (told[name] for name in _INTERVAL)
    return Interval(typical, tuple(knots), tuple(below), tuple(above), start)


def _regression(told: Mapping[str, Any]) -> Regression:
    return Regression(**{name: tuple(numbers) for name, numbers in told.items()})


def _linear(told: Mapping[str, Any]) -> Linear:
    names, means, spreads, weights = (tuple(told[name]) for name in _LINEAR)
    return Linear(names, means, spreads, weights, told["intercept"])
