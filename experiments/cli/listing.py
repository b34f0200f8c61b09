"""introlab list, introlab models: what there is."""

import json
from dataclasses import dataclass

from experiments import discover
from introlab.io.terminal import say


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
