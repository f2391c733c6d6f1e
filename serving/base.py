"""The scores of the whole base as Parquet: a row a customer, and beside each what it stands on."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from features.glossary import Glossary
from features.known import Known
from features.wordings import wordings_of
from models.basis import Basis
from serving.audience import Audience
from serving.scorer import Scorer
from serving.scores import COSTS

_MOMENT = pa.timestamp("us", tz="UTC")
_ITEM = pa.struct([("item", pa.string()), ("probability", pa.float64())])
_BASIS = pa.struct(
    [
        ("horizon_days", pa.int64()),
        ("active_rule", pa.string()),
        ("active_days", pa.int64()),
        ("learned_until", _MOMENT),
        ("tested_from", _MOMENT),
    ]
)
# What isn't known is null. The basis is the same in every row, which Parquet keeps once.
SCHEMA = pa.schema(
    [
        ("customer", pa.string()),
        ("as_of", _MOMENT),
        ("churn_risk", pa.float64()),
        ("churn_rank", pa.float64()),
        ("active", pa.bool_()),
        ("expected_value", pa.float64()),
        ("value_low", pa.float64()),
        ("value_high", pa.float64()),
        ("value_rank", pa.float64()),
        ("brought", pa.float64()),
        *((name, pa.float64()) for name in COSTS),
        ("tier", pa.string()),
        ("next_purchases", pa.list_(_ITEM)),
        ("new_purchases", pa.list_(_ITEM)),
        ("terms", pa.list_(pa.string())),
        ("glossary", pa.string()),
        ("bundle", pa.string()),
        ("basis", _BASIS),
    ]
)


def scored_tables(scorer: Scorer, glossary: Glossary, known: Known) -> Iterator[pa.Table]:
    """Score everybody of what is known, a few thousand at a time, as `SCHEMA` says; with the terms that hold."""
    audience, wordings = Audience(scorer, glossary), wordings_of(known)
    for chunk in scorer.chunks(known):
        members = audience.of_chunk(chunk, wordings)
        terms = [[term.name for term in glossary.terms if member.known[term.name]] for member in members]
        told = chunk.listed.with_columns(
            terms=pl.Series(terms, dtype=pl.List(pl.String)), glossary=pl.lit(glossary.hash)
        )
        yield as_table(told, scorer.bundle.basis)


def as_table(scored: pl.DataFrame, basis: Basis) -> pa.Table:
    """Lay out what `Scorer.score_base` gives, with its terms, as `SCHEMA` says."""
    moments = {"learned_until": basis.learned_until, "tested_from": basis.tested_from}
    told = pl.struct([pl.lit(value).alias(name) for name, value in (basis.as_dict() | moments).items()])
    return scored.with_columns(basis=told).select(SCHEMA.names).to_arrow().cast(SCHEMA)


def write_scores(
    parts: Iterable[Known], scorer: Scorer, glossary: Glossary, file: Path, on_part: Callable[[int, int], None]
) -> int:
    """Score every customer, part by part, and return how many there are; memory holds one part.

    `on_part` is told how many parts and customers are done.
    """
    customers = 0
    with pq.ParquetWriter(file, SCHEMA) as writer:
        for done, known in enumerate(parts, start=1):
            tables = list(scored_tables(scorer, glossary, known))
            if tables:
                writer.write_table(pa.concat_tables(tables))
            customers += sum(len(table) for table in tables)
            on_part(done, customers)
    return customers
