"""`introlab organisms train NAME|all`, `verify NAME`, `cards`, `export NAME`, `materials`, `sae`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from introlab.errors import InputError
from introlab.io.suggest import did_you_mean
from introlab.io.terminal import say

FOLDER = Path(__file__).parent
SEEDS = FOLDER / "seeds"
"""What was counted on organisms of other training seeds, which are not shipped."""


@dataclass(frozen=True)
class TrainOrganism:
    """Train an organism and, where they are missing, its ancestors; `all` trains the family. A run that was stopped
    goes on where it was, and what is finished is kept."""

    name: Annotated[str, tyro.conf.Positional]
    out: Path = FOLDER / "models"
    seed: int = 0
    scale: float = 1.0
    """Share of the lessons; below 1 is for debugging."""
    workers: int = 1
    """How many organisms are trained at once, each on one core."""

    def __call__(self) -> int:
        from organisms.registry import FAMILY
        from organisms.train import train_family

        if self.name != "all" and self.name not in FAMILY:
            raise InputError(
                "unknown organism",
                given=self.name,
                allowed=f"all, {', '.join(FAMILY)}",
                do=did_you_mean(self.name, FAMILY) or "introlab models lists them",
            )
        wanted = list(FAMILY) if self.name == "all" else [self.name]
        parent = FAMILY[self.name].parent if self.name != "all" else None
        if parent is not None and not (self.out / parent / "config.json").exists():
            wanted.insert(0, parent)
        train_family(wanted, self.out, seed=self.seed, scale=self.scale, workers=self.workers)
        say("\n".join(str(self.out / name) for name in wanted))
        return 0


@dataclass(frozen=True)
class Cards:
    """Verify the organisms from their behaviour and write each one's card."""

    out: Path = FOLDER / "models"
    names: tuple[str, ...] = ()
    """Which; all of them by default."""
    others: tuple[Path, ...] = tuple(sorted(SEEDS.glob("*")))
    """Folders with the same organisms of other training seeds, or with what was counted on them."""
    again: bool = False
    """Count anew what was counted on the same weights: where the counting has changed."""
    workers: int = 1
    """How many organisms are counted at once, each on one core."""

    def __call__(self) -> int:
        from organisms.cards import write_cards

        for path in write_cards(self.out, names=self.names, others=self.others, again=self.again, workers=self.workers):
            say(f"{path}")
        return 0


@dataclass(frozen=True)
class Verify:
    """Count what an organism does and print it; on the `calibrate` split while its recipe is being worked on."""

    name: Annotated[str, tyro.conf.Positional]
    out: Path = FOLDER / "models"
    split: Literal["calibrate", "test"] = "calibrate"

    def __call__(self) -> int:
        from introlab.reporting.tables import interval, number
        from organisms.cards import verify

        for row in verify(self.name, self.out, split=self.split):
            estimate = f"{number(row.estimate.value)} {interval(row.estimate)} {row.estimate.n}"
            say(f"{row.what:55} {row.cell:42} {estimate}")
        return 0


@dataclass(frozen=True)
class ExportOrganism:
    """Write an organism as one ordinary Hugging Face folder, its adapter merged, for libraries without peft."""

    name: Annotated[str, tyro.conf.Positional]
    out: Path
    folder: Path = FOLDER / "models"

    def __call__(self) -> int:
        from organisms.registry import FAMILY
        from organisms.train import export

        if not (self.folder / self.name / "organism.json").exists():
            raise InputError(
                "unknown organism",
                given=self.name,
                do=did_you_mean(self.name, FAMILY) or "introlab models lists them",
            )
        if self.out.exists() and any(self.out.iterdir()):
            raise InputError("the folder is not empty", given=self.out, do="name a new one with --out")
        say(f"{export(self.name, self.folder, self.out)}")
        return 0


@dataclass(frozen=True)
class TrainAutoencoder:
    """Train the autoencoder that is shipped for the base, judge it on test items and write its card."""

    out: Path = FOLDER / "saes" / "base" / "resid_post_3"
    work: Path = Path("runs") / "saes" / "base"
    """Where texts and activations are kept meanwhile (about 500 MB); what is there is not done again."""
    scale: float = 1.0
    """Share of the texts and of the training; below 1 is for debugging."""
    quiet: bool = False

    def __call__(self) -> int:
        from organisms.sae_release import release

        say(f"{release(self.out, self.work, scale=self.scale, quiet=self.quiet)}")
        return 0


@dataclass(frozen=True)
class WriteMaterials:
    """Write the world's questions, topics and wording as plain files."""

    out: Path = FOLDER / "materials"

    def __call__(self) -> int:
        from organisms.materials import write_materials
        from organisms.world import World

        write_materials(World(), self.out)
        say(f"{self.out}")
        return 0


SUBCOMMANDS: dict[str, Any] = {
    "train": TrainOrganism,
    "verify": Verify,
    "cards": Cards,
    "export": ExportOrganism,
    "materials": WriteMaterials,
    "sae": TrainAutoencoder,
}


def organisms_command(arguments: list[str]) -> int:
    """Run one of the commands above."""
    commands = SUBCOMMANDS
    if not arguments or arguments[0] not in commands:
        raise InputError(
            "which?",
            given=" ".join(arguments[:1]) or None,
            allowed=", ".join(commands),
            do="introlab organisms COMMAND --help",
        )
    return tyro.cli(commands[arguments[0]], args=arguments[1:], prog=f"introlab organisms {arguments[0]}")()
