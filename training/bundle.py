"""A bundle: the three models and one manifest, as plain files; what training lays down and serving picks up.

manifest.json                 what it is, what it needs, how it was judged
churn/model.lgb               a LightGBM booster as text
churn/calibration.json        {"scores": […], "probabilities": […]}
value/expected.lgb, low.lgb, high.lgb
next_purchase/model.lgb, calibration.json, items.json      absent when the history names no products
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.churn import ChurnModel
from training.next_purchase import NextPurchaseModel
from training.value import ValueModel

FORMAT = 1


def write_bundle(
    folder: Path,
    churn: ChurnModel,
    value: ValueModel,
    next_purchase: NextPurchaseModel | None,
    manifest: Mapping[str, Any],
) -> str:
    """Write a bundle into an empty folder and return its hash (128 bits of BLAKE2b over its files)."""
    _write(folder / "churn" / "model.lgb", churn.booster.model_to_string())
    _write(folder / "churn" / "calibration.json", json.dumps(asdict(churn.calibration)))
    for name in ("expected", "low", "high"):
        _write(folder / "value" / f"{name}.lgb", getattr(value, name).model_to_string())
    if next_purchase is not None:
        _write(folder / "next_purchase" / "model.lgb", next_purchase.booster.model_to_string())
        _write(folder / "next_purchase" / "calibration.json", json.dumps(asdict(next_purchase.calibration)))
        _write(folder / "next_purchase" / "items.json", next_purchase.table.as_json())
    files = {str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    value_parts = {"scale": value.scale, "margin": value.margin, "typical": value.typical}
    whole = {"format": FORMAT, **manifest, "value_interval": value_parts, "files": files}
    _write(folder / "manifest.json", json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True))
    return _digest(folder / "manifest.json")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
