"""The truth of people at a moment, as it lies beside the events: to look at, and to draw from."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from features.errors import InputError
from world.chance import Flags
from world.chances import Chances, When, chances
from world.operator import IDS, SELLS
from world.people import Mood, People
from world.settings import Settings

FOLDER = "truth"


@dataclass(frozen=True)
class Truth:
    """People with a contract when a period begins, and all that is true of them in it."""

    people: People
    mood: Mood
    when: When

    def __len__(self) -> int:
        return len(self.people)

    @cached_property
    def chances(self) -> Chances:
        """What is true in the period."""
        return chances(self.people, self.mood, self.when)

    @property
    def customers(self) -> list[str]:
        """Each person's reference."""
        return [name_of(number) for number in self.people.number.tolist()]

    def keep(self, which: Flags) -> "Truth":
        """Keep some people."""
        return Truth(self.people.keep(which), self.mood.keep(which), self.when)

    def of(self, customers: list[str]) -> "Truth":
        """Take some people in the order in which they are named.

        Raises InputError for whoever isn't among them.
        """
        places = {name: place for place, name in enumerate(self.customers)}
        if unknown := [name for name in customers if name not in places]:
            raise InputError(f"expected people with a contract at the moment of the truth, found {unknown[0]}")
        which = np.array([places[name] for name in customers], dtype=np.int64)
        return Truth(People.read(self.people.frame()[which]), Mood.read(self.mood.frame()[which]), self.when)

    def frame(self) -> pl.DataFrame:
        """Lay the truth out: of each person, and of every offer its acceptance and its effect.

        `effect_*` is on buying the offer's item where it sells one, else on staying; `stay_effect_*` on staying where
        it sells one. All are differences of probabilities within 28 days.
        """
        found = self.chances
        told = {"person": self.people.number, "customer": self.customers, "hazard_28": found.hazard}
        told |= {"value_28": found.value, "tastes": found.tastes}
        for place, name in enumerate(IDS):
            sells = bool(SELLS[place])
            told[f"accept_{name}"] = found.accepts[:, place]
            told[f"effect_{name}"] = (found.sells if sells else found.keeps)[:, place]
            if sells:
                told[f"stay_effect_{name}"] = found.keeps[:, place]
        return pl.DataFrame(told)

    def write(self, path: Path) -> None:
        """Write the truth as Parquet, with what it is made of, so that it can be drawn from."""
        parts = [self.frame(), *(_hidden(part.frame(), name) for name, part in self._columns())]
        pl.concat(parts, how="horizontal").write_parquet(path)

    @classmethod
    def read(cls, folder: Path) -> "Truth":
        """Read the truth of a simulated world from its folder.

        Raises InputError where there is none.
        """
        settings = Settings.read(folder)
        parts = sorted((folder / FOLDER).glob("part-*.parquet"))
        if len(parts) != settings.parts:
            raise InputError(
                f"expected {settings.parts} parts of a truth in {folder / FOLDER}, found {len(parts)}; simulate it anew"
            )
        rows = pl.concat([pl.read_parquet(path) for path in parts])
        when = settings.when(settings.periods)
        return cls(People.read(_shown(rows, "people")), Mood.read(_shown(rows, "mood")), when)

    def _columns(self) -> tuple[tuple[str, People | Mood], ...]:
        return ("people", self.people), ("mood", self.mood)


def name_of(number: int) -> str:
    """Name a person's account."""
    return f"customer:{number}"


def _hidden(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    return frame.rename({column: f"{name}.{column}" for column in frame.columns})


def _shown(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    mine = [column for column in frame.columns if column.startswith(f"{name}.")]
    return frame.select(mine).rename({column: column.partition(".")[2] for column in mine})
