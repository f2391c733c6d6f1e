"""The reason codes that agents may give for an outcome, as the business wrote them in `reasons.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import InputError
from features.events import REASONS
from features.glossary import fingerprint
from features.tables import meant, read


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """One code: the sort of reason it is, which the features count, and how it is said."""

    code: str
    sort: str
    sentence: Mapping[str, str]


@dataclass(frozen=True)
class ReasonCodes:
    """All codes by name, and the hash of the file."""

    codes: Mapping[str, ReasonCode]
    hash: str

    def get(self, code: str) -> ReasonCode:
        """Find a code.

        Raises InputError when the playbook doesn't have it.
        """
        if code not in self.codes:
            expected = f"expected reason_code to be one of {', '.join(self.codes)}"
            raise InputError(f"{expected}; found {code!r}{meant(code, self.codes)}")
        return self.codes[code]


def load_reasons(path: Path, languages: tuple[str, ...]) -> ReasonCodes:
    """Read `reasons.toml`.

    Raises PlaybookError when it doesn't hold together.
    """
    file = read(path)
    told, codes = file.table("reasons", required=True), {}
    for name in told.names():
        table = told.table(name)
        if not (name.isascii() and name.isidentifier()):
            table.refuse(f"expected a code of letters, digits and _, found {name!r}")
        codes[name] = ReasonCode(name, table.choice("sort", REASONS), table.sentence(languages))
        table.end()
    file.end()
    if not codes:
        told.refuse("expected at least one code, found none")
    return ReasonCodes(codes, fingerprint(file.content))
