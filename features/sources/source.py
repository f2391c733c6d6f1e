"""A source: how the columns of its files become what happened to whom, as written in `playbook/sources/NAME.toml`."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from features.errors import SourceError
from features.sources import shape
from features.sources.mapping import Attribute, Join, Table, demands
from features.sources.shape import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where files come from, and what they share.

    `time_zone` (IANA) is that of times without one. `reference` is the type of the customer references unless a
    table says otherwise; `region` (ISO 3166) completes phone numbers without a country code. `max_bad_share` is the
    share of a table's rows that may be refused, from 0 to 1. `rights` says what the data may be used for; model cards
    repeat it.
    """

    name: str
    reference: str
    tables: tuple[Table, ...]
    description: str = ""
    time_zone: str = "UTC"
    region: str | None = None
    max_bad_share: float = 0.01
    rights: str = ""


def find_source(folder: Path, name: str) -> Source:
    """Read the source of that name from `playbook/sources`.

    Raises SourceError when there is none, naming those there are.
    """
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(other.stem for other in folder.glob("*.toml"))
        found = f"{', '.join(known) or 'none'}{nearest(name, known)}"
        raise SourceError(f"expected a source {name} at {path}; found the sources {found}. Write that file first")
    return read_source(path)


def read_source(path: Path) -> Source:
    """Read and check one source.

    Raises SourceError that names the file, the table, what was expected and what was found.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"expected {path} to be TOML in UTF-8; found: {error}") from error
    settings = _shaped(found, SOURCE_SHAPE, path.name, ("name", "reference", "table"))
    tables = tuple(_table(one, path.name) for one in settings.pop("table"))
    names = [table.name for table in tables]
    _expect(settings["name"] == path.stem, path.name, f"name to be {path.stem}, as the file's", settings["name"])
    _expect(len(set(names)) == len(names) > 0, path.name, "tables, each with its own name", ", ".join(names) or "none")
    return Source(tables=tables, **settings)


def _expect(holds: bool, where: str, expected: str, found: object) -> None:
    if not holds:
        raise SourceError(f"{where}: expected {expected}; found {found}")


def _shaped(found: Mapping[str, Any], wanted: shape.Shape, where: str, required: Iterable[str] = ()) -> dict[str, Any]:
    """Check the keys and the type of each value."""
    for key in found:
        expected = f"only the keys {', '.join(wanted)}"
        _expect(key in wanted, where, expected, f"{key}{nearest(key, wanted)}")
    for key in required:
        _expect(key in found, where, f"the key {key}", f"only {', '.join(found) or 'nothing'}")
    shaped = {}
    for key, value in found.items():
        try:
            shaped[key] = wanted[key](value)
        except ValueError as error:
            raise SourceError(f"{where}: expected {key} to be {error}; found {value!r}") from error
    return shaped


def _table(found: Mapping[str, Any], file: str) -> Table:
    where = f"{file}, table {found.get('name', '(without a name)')}"
    settings = _shaped(found, TABLE_SHAPE, where, ("name", "files"))
    if "join" in settings:
        settings["join"] = Join(**_shaped(settings["join"], JOIN_SHAPE, f"{where}, join", ("file", "on")))
    settings["attributes"] = {
        name: _attribute(one, f"{where}, attribute {name}") for name, one in settings.get("attributes", {}).items()
    }
    table = Table(**settings)
    for holds, expected, one in demands(table):
        _expect(holds, where, expected, one)
    return table


def _attribute(found: Any, where: str) -> Attribute:
    if isinstance(found, str):
        return Attribute(found)
    _expect(isinstance(found, dict), where, "a column's name, or a table with column and levels", repr(found))
    return Attribute(**_shaped(found, ATTRIBUTE_SHAPE, where, ("column",)))


ATTRIBUTE_SHAPE: shape.Shape = {"column": shape.text, "levels": shape.texts}
JOIN_SHAPE: shape.Shape = {"file": shape.text, "on": shape.texts}
SOURCE_SHAPE: shape.Shape = {
    "name": shape.text,
    "description": shape.words,
    "time_zone": shape.time_zone,
    "reference": shape.reference_type,
    "region": shape.region,
    "max_bad_share": shape.share,
    "rights": shape.words,
    "table": shape.tables,
}
TABLE_SHAPE: shape.Shape = dict.fromkeys((one.name for one in fields(Table)), shape.words) | {
    "name": shape.text,
    "files": shape.texts,
    "separator": shape.separator,
    "encoding": shape.encoding,
    "header": shape.flag,
    "decimal": shape.decimal,
    "thousands": shape.thousands,
    "missing": shape.texts,
    "join": shape.mapping,
    "columns": shape.columns,
    "constants": shape.constants,
    "prefixes": shape.translations,
    "kinds": shape.translations,
    "channels": shape.translations,
    "key": shape.texts,
    "body": shape.texts,
    "attributes": shape.mapping,
    "reference": shape.reference_type,
    "linked": shape.reference_type,
}
