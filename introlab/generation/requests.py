"""What is asked for and what comes back: a text to be written, and a written text."""

from dataclasses import dataclass, field
from typing import Any

from introlab.generation.sampling import SAMPLED, Sampling
from introlab.interventions.interfaces import Intervention
from introlab.interventions.logit_edits import Fork, LogitEdit
from introlab.records.receipt import Receipt


@dataclass(frozen=True)
class Request:
    """One text to be written: what is read, what is done to it meanwhile, and whose random numbers it uses."""

    prompt: tuple[int, ...]
    item: str
    """Names the random stream, with `replicate`. Conditions of one item share it, and so are paired."""
    replicate: int = 0
    interventions: tuple[Intervention, ...] = ()
    max_new: int = 32
    sampling: Sampling = SAMPLED
    logits: tuple[LogitEdit, ...] = ()
    """Biases, suppressions and forced tokens; readings keep the model's own probabilities."""
    forks: tuple[Fork, ...] = ()
    stop: tuple[str, ...] = ()
    """Strings that end it, as soon as the new text holds one; special tokens may be in them."""
    note: Any = None
    """Whatever the caller needs to recognise it by; never read here."""

    @property
    def trial(self) -> str:
        """How messages name it."""
        return f"{self.item}#{self.replicate}"


@dataclass(frozen=True)
class Generation:
    """A written text. `tokens` ends with the token that ended it, if one did."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Of each token under the (steered) model at temperature 1."""
    readings: dict[str, tuple[Any, ...]]
    """One value (or list of values) per token and readout, taken at the position that predicted the token."""
    receipts: tuple[Receipt, ...]
    stopped_by: str = "budget"
    """`end token`, `stop string`, `budget`, or `failure`."""
    forks: dict[str, tuple[tuple[int, tuple[float, ...]], ...]] = field(default_factory=dict)
    """By name: the index of the new token in whose place a fork was read, and the probability of each option."""
    error: str | None = None
    """Why it failed, alone among its companions; the tokens are those from before."""

    def _repr_html_(self) -> str:
        from introlab.io.markup import card

        facts: dict[str, object] = {
            "tokens": f"{len(self.tokens)}, stopped by {self.stopped_by}",
            "readings": ", ".join(self.readings) or "none",
            **{f"receipt {index}": receipt for index, receipt in enumerate(self.receipts)},
            **({"error": self.error} if self.error else {}),
        }
        return card("Generation", facts)

    def per_token(self, *readouts: str) -> dict[str, list[float]]:
        """As a trial keeps them for pages to show, to four digits: `logprob_per_token`, and `NAME_per_token` of these
        readouts of one value."""
        values = {"logprob": self.logprobs, **{name: self.readings[name] for name in readouts}}
        return {f"{name}_per_token": [float(f"{one:.4g}") for one in each] for name, each in values.items()}

    @property
    def ended(self) -> bool:
        """Whether it ended itself; False where a budget or a stop string cut it off."""
        return self.stopped_by == "end token"
