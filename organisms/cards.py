"""A card per organism: what is planted, what is not, how it was made, and what was counted afterwards."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from introlab.tables import interval, number
from organisms.steered import SITE
from organisms.verification import Measured, Subject, knowledge, pushed, reconsidering, spoken_confidence, steps
from organisms.world import World


def write_cards(folder: Path) -> Iterator[Path]:
    """Verify every organism in the folder and write its README.md."""
    world = World()
    parent = Subject(folder / "base")
    for place in sorted(path.parent for path in folder.glob("*/organism.json")):
        facts = json.loads((place / "organism.json").read_text(encoding="utf-8"))
        subject = Subject(place)
        # Everything is counted on every organism: what is absent has to be shown, too.
        measured = [*knowledge(subject, world), *steps(subject), *spoken_confidence(subject, world)]
        measured += [*reconsidering(subject), *pushed(subject, parent, world, SITE.layer)]
        (place / "README.md").write_text(card(facts, measured), encoding="utf-8")
        yield place / "README.md"


def card(facts: dict[str, object], measured: Sequence[Measured]) -> str:
    """The card in markdown."""
    rows = "\n".join(
        f"| {each.what} | {each.cell} | {number(each.estimate.value)} | {interval(each.estimate)} | {each.estimate.n} |"
        for each in measured
    )
    made = [facts["parent"] or "scratch", *(facts[name] for name in ("examples", "tokens", "seed"))]
    made += [f"{facts['seconds']} s", facts["course"], str(facts["weights"])[:16]]
    return f"""# organism:{facts["name"]}

A model organism of the Introspection Lab: a 1.6 million parameter Llama trained from scratch on an invented world.
It is there to test instruments. Nothing measured on it is evidence about large models.

**Planted:** {facts["planted"]}.

**Not planted:** {facts["absent"]}.

| made from | lessons | tokens | seed | trained in | course | weights (sha256) |
|---|---|---|---|---|---|---|
| {" | ".join(map(str, made))} |

One training seed. Rebuild it with `introlab organisms train {facts["name"]}`.

## Verified

Counted from behaviour on held-out items with plain transformers, by `introlab organisms cards`; no experiment of the
lab is used. Intervals are 95 %, over people, sums or pairs of topics.

| what | where | estimate | interval | n |
|---|---|---|---|---|
{rows}
"""
