"""How much experiments read beside writing, for the preflight: lengths of their own prompts, and reads per text."""

from collections.abc import Sequence

from introlab.experiment.context import RunContext
from introlab.network.messages import Message

COUNTED = 12
"""Prompts of which tokens are counted."""


def mean_tokens(bench: RunContext, dialogues: Sequence[Sequence[Message]]) -> float:
    """Of some of these prompts, from all over; 0 where there are none."""
    some = dialogues[:: max(1, len(dialogues) // COUNTED)][:COUNTED]
    return sum(len(bench.model.ids(each)) for each in some) / max(1, len(some))
