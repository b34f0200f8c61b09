"""`introlab organisms train NAME|all`, `introlab organisms cards`, `introlab organisms materials`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from introlab.errors import InputError

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Train:
    """Train an organism and, where they are missing, its ancestors; `all` trains the family."""

    name: Annotated[str, tyro.conf.Positional]
    out: Path = FOLDER / "models"
    seed: int = 0
    scale: float = 1.0
    """Share of the lessons; below 1 is for debugging."""

    def __call__(self) -> int:
        from organisms.family import FAMILY, train_organism

        if self.name != "all" and self.name not in FAMILY:
            raise InputError("unknown organism", given=self.name, allowed=f"all, {', '.join(FAMILY)}")
        wanted = list(FAMILY) if self.name == "all" else [self.name]
        for name in wanted:
            parent = FAMILY[name].parent
            if parent is not None and parent not in wanted and not (self.out / parent / "config.json").exists():
                train_organism(parent, self.out, seed=self.seed, scale=self.scale)
            sys.stdout.write(f"{train_organism(name, self.out, seed=self.seed, scale=self.scale)}\n")
        return 0


@dataclass(frozen=True)
class Cards:
    """Verify the organisms from their behaviour and write each one's card."""

    out: Path = FOLDER / "models"

    def __call__(self) -> int:
        from organisms.cards import write_cards

        for path in write_cards(self.out):
            sys.stdout.write(f"{path}\n")
        return 0


@dataclass(frozen=True)
class Materials:
    """Write the world's questions, topics and wording as plain files."""

    out: Path = FOLDER / "materials"

    def __call__(self) -> int:
        from organisms.materials import write_materials
        from organisms.world import World

        write_materials(World(), self.out)
        sys.stdout.write(f"{self.out}\n")
        return 0


def organisms_command(arguments: list[str]) -> int:
    """Run one of the commands above."""
    commands = {"train": Train, "cards": Cards, "materials": Materials}
    if not arguments or arguments[0] not in commands:
        raise InputError(
            "which?",
            given=" ".join(arguments[:1]) or None,
            allowed=", ".join(commands),
            do="introlab organisms COMMAND --help",
        )
    return tyro.cli(commands[arguments[0]], args=arguments[1:], prog=f"introlab organisms {arguments[0]}")()
