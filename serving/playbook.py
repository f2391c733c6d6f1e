"""The playbook: everything that the business decides, in its own words, read from one folder."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import PlaybookError
from features.glossary import Glossary, fingerprint, load_glossary
from serving.contact import ContactPolicy, load_contact
from serving.experiment import Experiment, load_experiment
from serving.offers import Offer, load_offers
from serving.reasons import ReasonCodes, load_reasons
from serving.routing import Routing, load_routing
from serving.visit_policy import VisitPolicy, load_visit_policy

FILES = ("glossary.toml", "offers.toml", "contact.toml", "reasons.toml", "learning.toml", "routing.toml", "visits.toml")


@dataclass(frozen=True)
class Playbook:
    """The glossary and all that goes with it; `hash` is over all of its files."""

    glossary: Glossary
    offers: tuple[Offer, ...]
    reasons: ReasonCodes
    contact: ContactPolicy
    experiment: Experiment
    routing: Routing
    visits: VisitPolicy
    hash: str


def load_playbook(folder: Path, features: Collection[str]) -> Playbook:
    """Read a folder; `features` are the names that rules may speak of.

    Raises PlaybookError when its files don't hold together.
    """
    glossary = load_glossary(folder / "glossary.toml", features)
    reasons = load_reasons(folder / "reasons.toml", glossary.languages)
    offers, offers_hash = load_offers(folder / "offers.toml", glossary, reasons)
    contact = load_contact(folder / "contact.toml", glossary, offers, reasons)
    experiment = load_experiment(folder / "learning.toml", glossary)
    routing = load_routing(folder / "routing.toml", glossary)
    visits = load_visit_policy(folder / "visits.toml", glossary)
    hashes = [glossary.hash, offers_hash, *(part.hash for part in (reasons, contact, experiment, routing, visits))]
    return Playbook(glossary, offers, reasons, contact, experiment, routing, visits, fingerprint(hashes))


def files_of(folder: Path) -> dict[str, str]:
    """Read a playbook's files as they are, each by its name, so that they can be kept.

    Raises PlaybookError when one can't be read.
    """
    try:
        return {name: (folder / name).read_text(encoding="utf-8") for name in FILES}
    except OSError as error:
        raise PlaybookError(f"expected a playbook file at {error.filename}; found: {error.strerror}") from error


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Lay a playbook's files out in a folder."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
