"""Feast's online read of rows that Holdfast computed: `python -I feast_peer.py ROWS FOLDER` prints its times as JSON.

It runs under a Python of its own, as Feast holds older packages than Holdfast: `python3 -m venv feast-env` and
`feast-env/bin/pip install feast`. The store is Feast's local one on SQLite with one feature view of all features;
nothing leaves the machine.
"""

import json
import logging
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd

os.environ["FEAST_USAGE"] = "False"

from feast import Entity, FeatureStore, FeatureView, Field, FileSource  # type: ignore[import-not-found]
from feast.types import Float64  # type: ignore[import-not-found]
from feast.value_type import ValueType  # type: ignore[import-not-found]

_CALLS = 1000
_SETTINGS = """project: peer
provider: local
registry: {path: registry.db, cache_ttl_seconds: 0}
online_store: {type: sqlite, path: online.db}
offline_store: {type: file}
entity_key_serialization_version: 3
"""


def main() -> None:
    """Fill a store, read row by row, and print each call's seconds: until its answer, and until its numbers."""
    rows, folder = Path(sys.argv[1]).absolute(), Path(sys.argv[2])
    logging.disable(logging.WARNING)
    frame = pd.read_parquet(rows)
    names = [name for name in frame.columns if name not in ("customer", "as_of")]
    store = filled(folder, rows, frame, names)
    wanted = [f"rows:{name}" for name in names]
    check(store, wanted, frame, names)
    customers = frame["customer"].tolist()
    answered, read = [], []
    for call in range(_CALLS):
        entity = {"customer": customers[call % len(customers)]}
        start = time.perf_counter()
        answer = store.get_online_features(features=wanted, entity_rows=[entity])
        answered.append(time.perf_counter() - start)
        answer.to_dict()
        read.append(time.perf_counter() - start)
    print(json.dumps({"answered": answered, "read": read}))


def filled(folder: Path, rows: Path, frame: pd.DataFrame, names: list[str]) -> FeatureStore:
    """Make a store with one feature view, and write the rows into it."""
    (folder / "feature_store.yaml").write_text(_SETTINGS, encoding="utf-8")
    store = FeatureStore(repo_path=str(folder))
    customer = Entity(name="customer", join_keys=["customer"], value_type=ValueType.STRING)
    view = FeatureView(
        name="rows",
        entities=[customer],
        ttl=timedelta(0),
        schema=[Field(name=name, dtype=Float64) for name in names],
        source=FileSource(name="rows", path=str(rows), timestamp_field="as_of"),
    )
    store.apply([customer, view])
    store.write_to_online_store("rows", frame)
    return store


def check(store: FeatureStore, wanted: list[str], frame: pd.DataFrame, names: list[str]) -> None:
    """Check that what is read is what was written.

    Raises AssertionError.
    """
    entities = [{"customer": name} for name in frame["customer"]]
    found = store.get_online_features(features=wanted, entity_rows=entities).to_df()
    found = found.set_index("customer").loc[frame["customer"], names].astype("float64")
    pd.testing.assert_frame_equal(found, frame.set_index("customer")[names], check_exact=True)


if __name__ == "__main__":
    main()
