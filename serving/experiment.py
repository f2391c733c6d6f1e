"""What the business leaves to chance, as it wrote it in `learning.toml`: who is left alone, and how far to explore."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.glossary import Glossary, fingerprint
from features.tables import read

POLICY, RANDOM, HOLD_OUT = "policy", "random", "hold_out"
GROUPS = (POLICY, RANDOM, HOLD_OUT)
_MOST_EXPLORED = 0.5
_STEPS = 2**64


@dataclass(frozen=True)
class Experiment:
    """The groups that people fall into, and the share of decisions that may be explored, by tier.

    `hold_out` and `random` are shares of people; `salt` names the draw. `prior_uncertainty` is the standard deviation
    of a stated effect as a share of it, `prior_takers` how many takers a stated share of takers counts as much as.
    """

    salt: str
    hold_out: float
    random: float
    prior_uncertainty: float
    prior_takers: float
    exploration: Mapping[str, float]
    hash: str

    def group(self, customer: str) -> str:
        """Tell the group of a person; it stays the same as long as the salt does.

        Raising a share moves nobody but from `policy`: those left alone are drawn from one end, those drawn for from
        the other.
        """
        drawn = share(self.salt, customer)
        if drawn < self.hold_out:
            return HOLD_OUT
        return RANDOM if drawn >= 1.0 - self.random else POLICY


def hashed(salt: str, name: str) -> bytes:
    """Hash a name with a salt to 64 bits (BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(f"{salt}\x1f{name}".encode(), digest_size=8).digest()


def share(salt: str, name: str) -> float:
    """Draw a share from 0 up to 1 for a name: always the same by the same salt."""
    return int.from_bytes(hashed(salt, name)) / _STEPS


def load_experiment(path: Path, glossary: Glossary) -> Experiment:
    """Read `learning.toml`.

    Raises PlaybookError when it doesn't hold together.
    """
    file = read(path)
    tiers = file.table("exploration")
    exploration = {tier: tiers.number(tier, 0.0, _MOST_EXPLORED, 0.0) for tier in glossary.tiers}
    tiers.end()
    found = Experiment(
        file.text("salt"), file.number("hold_out", 0.0, 0.5), file.number("random", 0.0, 0.5),
        file.number("prior_uncertainty", 0.0, 2.0), file.number("prior_takers", 1.0, 1e6),
        exploration, fingerprint(file.content),
    )  # fmt: skip
    file.end()
    return found
