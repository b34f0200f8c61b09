"""introlab list, introlab models: what there is."""

import json
from dataclasses import dataclass

from experiments import discover
from experiments.cli.output import say
from introlab.network.specs import organism_folder, organism_names


@dataclass(frozen=True)
class List:
    """The experiments and what each one asks."""

    json: bool = False

    def __call__(self) -> int:
        known = {name: kind.question() for name, kind in sorted(discover().items())}
        say(
            json.dumps(known)
            if self.json
            else "\n".join(f"{name.replace('_', '-'):26}{question}" for name, question in known.items())
        )
        return 0


@dataclass(frozen=True)
class Models:
    """The organisms that come with the lab, and what else a model can be named by."""

    json: bool = False

    def __call__(self) -> int:
        cards = [
            json.loads((organism_folder() / name / "organism.json").read_text(encoding="utf-8"))
            for name in organism_names()
        ]
        if self.json:
            say(json.dumps(cards))
            return 0
        for card in cards:
            say(f"organism:{card['name']:20}{card['planted']}")
        say("\nalso: a local Hugging Face folder (./my-model) or a hub id (Qwen/Qwen3-0.6B)")
        return 0
