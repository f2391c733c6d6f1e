"""Columns of a table that users bring, as numbers."""

import numpy as np
import polars as pl

from features.errors import InputError
from features.feature import Array

NO = {"0", "0.0", "false", "no", "n", "control", "none", "placebo", "holdout", "hold_out", "no treatment"}
YES = {"1", "1.0", "true", "yes", "y"}


def numbers(told: pl.Series, option: str) -> Array:
    """Take numbers, or yes and no as 1 and 0; NaN for what isn't known or isn't finite. `option` named the column.

    Raises InputError for anything else.
    """
    if told.dtype.is_numeric() or told.dtype == pl.Boolean:
        found = told.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
        return np.where(np.isfinite(found), found, np.nan)
    low = told.cast(pl.String).str.strip_chars().str.to_lowercase()
    if set(low.drop_nulls().unique()) <= YES | NO:
        return low.is_in(sorted(YES)).cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
    raise InputError(
        f"expected numbers, or yes and no, in {option} {told.name}, found {told.dtype} such as"
        f" “{told.drop_nulls()[0]}”; name another column"
    )
