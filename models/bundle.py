"""A bundle: the three models and one manifest, as plain files; what training lays down and serving picks up.

manifest.json                     what it is, what it needs, how it was judged, and the hash of every other file
churn.json                        a sum of parts on the scale of log-odds; parts that are trees name their folder
value.json                        the same on the scale of logs, and the interval with what its bounds start from
next_purchase.json, items.json    calibration and the population's items; absent when the history names no products
trees/NAME/model.lgb, MLmodel     a booster as LightGBM's text, in the form that MLflow's LightGBM flavour loads

Never a pickle.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import lightgbm as lgb

from features.affinity import PAIR_FEATURES, ItemTable
from features.contract import CONTRACT, FeatureContract
from features.errors import ContractError, RegistryError
from models.additive import Additive, Part
from models.calibration import Calibration
from models.hurdle import Hurdle
from models.lifetime import Lifetime, Process
from models.linear import Linear
from models.next_purchase import NextPurchaseModel
from models.simulation import Simulation
from models.trees import Trees
from models.value import Interval, QuantileTrees, ValueModel

FORMAT = 3
_INTERVAL = ("typical", "knots", "below", "above")
_LINEAR = ("names", "means", "spreads", "weights")
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
    """The three models of one training."""

    churn: Additive
    value: ValueModel
    next_purchase: NextPurchaseModel | None


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


def write(folder: Path, models: Models, manifest: Mapping[str, Any]) -> str:
    """Write a bundle into an empty folder and return its hash (128 bits of BLAKE2b over its files)."""
    writer = _Writer(folder)
    writer.json("churn.json", writer.additive("churn", models.churn))
    value = models.value
    writer.json(
        "value.json",
        {
            "expected": writer.additive("value", value.expected),
            "interval": {name: getattr(value.interval, name) for name in _INTERVAL},
            "start": writer.start(value.interval.start),
        },
    )
    if models.next_purchase is not None:
        ranker = models.next_purchase
        said = {"trees": writer.trees("next-purchase", ranker.trees), "calibration": asdict(ranker.calibration)}
        writer.json("next_purchase.json", said)
        writer.text("items.json", ranker.table.as_json())
    files = {str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    whole = {"format": FORMAT, **manifest, "files": files}
    writer.text("manifest.json", json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True))
    return _digest(folder / "manifest.json")


class _Writer:
    """Writes a bundle's files, trees each into a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def additive(self, name: str, model: Additive) -> dict[str, Any]:
        parts = [self._part(f"{name}-{place}", part) for place, part in enumerate(model.parts, 1)]
        return {"link": model.link, "intercept": model.intercept, "weights": model.weights, "parts": parts}

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
        if isinstance(part, Lifetime):
            return {"lifetime": asdict(part)}
        assert isinstance(part, Linear)
        return {"linear": asdict(part)}


def load(folder: Path, version: str = "unregistered", threads: int = 1) -> Bundle:
    """Load a bundle from its folder, checking every file against the manifest and the contract against the code.

    Raises RegistryError when a file is missing or differs, ContractError when it was trained on other features.
    """
    manifest = _manifest(folder)
    CONTRACT.check(FeatureContract.from_dict(manifest["contract"]))
    reader = _Reader(folder, threads)
    told = _read(folder / "value.json")
    typical, knots, below, above = (told["interval"][name] for name in _INTERVAL)
    interval = Interval(typical, tuple(knots), tuple(below), tuple(above), reader.start(told["start"]))
    value = ValueModel(reader.additive(told["expected"]), interval)
    ranker = reader.ranker() if "next_purchase.json" in manifest["files"] else None
    models = Models(reader.additive(_read(folder / "churn.json")), value, ranker)
    return Bundle(_digest(folder / "manifest.json"), version, manifest, models)


@dataclass(frozen=True)
class _Reader:
    """Reads what `_Writer` wrote."""

    folder: Path
    threads: int

    def additive(self, told: Mapping[str, Any]) -> Additive:
        parts = tuple(self._part(part) for part in told["parts"])
        return Additive(told["link"], parts, tuple(told["weights"]), told["intercept"])

    def trees(self, name: str, columns: tuple[str, ...]) -> Trees:
        booster = lgb.Booster(model_str=(self.folder / "trees" / name / "model.lgb").read_text(encoding="utf-8"))
        if tuple(booster.feature_name()) != columns:
            raise ContractError(
                "expected the models' columns in the contract's order, found another; train again: holdfast train"
            )
        return Trees(booster, self.threads)

    def start(self, told: Mapping[str, Any] | None) -> QuantileTrees | Simulation | None:
        if told is None:
            return None
        [(kind, value)] = told.items()
        if kind == "trees":
            return QuantileTrees(*(self.trees(name, CONTRACT.names) for name in value))
        return Simulation(Process(**value["process"]), value["days"], tuple(value["levels"]))

    def ranker(self) -> NextPurchaseModel:
        told = _read(self.folder / "next_purchase.json")
        points = told["calibration"]
        calibration = Calibration(tuple(points["scores"]), tuple(points["probabilities"]))
        table = ItemTable.from_json((self.folder / "items.json").read_text(encoding="utf-8"))
        return NextPurchaseModel(self.trees(told["trees"], PAIR_FEATURES), calibration, table)

    def _part(self, told: Mapping[str, Any]) -> Part:
        [(kind, value)] = told.items()
        if kind == "trees":
            return self.trees(value, CONTRACT.names)
        if kind == "hurdle":
            return Hurdle(*(self.trees(name, CONTRACT.names) for name in value))
        if kind == "lifetime":
            typical = tuple(value["typical"])
            return Lifetime(Process(**value["process"]), value["days"], value["says"], typical)
        names, means, spreads, weights = (tuple(value[name]) for name in _LINEAR)
        return Linear(names, means, spreads, weights, value["intercept"])


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = _read(folder / "manifest.json")
    except (OSError, ValueError) as error:
        raise RegistryError(f"expected a bundle with a manifest in {folder}, found: {error}") from error
    if manifest.get("format") != FORMAT:
        raise RegistryError(
            f"expected a bundle of format {FORMAT}, found {manifest.get('format')}; train again: holdfast train"
        )
    for name, digest in manifest["files"].items():
        if (found := found_hash(folder / name)) != digest:
            raise RegistryError(
                f"expected {name} of the bundle with hash {digest}, found {found}; train again: holdfast train"
            )
    return manifest


def found_hash(path: Path) -> str:
    """Hash a bundle's file; "no file" where there is none."""
    return _digest(path) if path.exists() else "no file"


def _read(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
