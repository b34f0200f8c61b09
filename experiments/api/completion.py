"""What `lab.generate` gives back: a generation with its words, beside its tokens, readings and receipts."""

from dataclasses import dataclass, field

from introlab.errors import InputError
from introlab.generation.requests import Generation
from introlab.records.receipt import Receipt


@dataclass(frozen=True, kw_only=True)
class Completion(Generation):
    """A written text in words and in tokens."""

    prompt: str
    """What was asked, as readable text."""
    text: str
    """What was written, without special tokens."""
    pieces: tuple[str, ...] = field(repr=False)
    """What each token wrote, special ones included: one string for each of `tokens`."""
    prompt_ids: tuple[int, ...] = field(repr=False)
    model: str = field(repr=False)
    """Fingerprint of the model that wrote it."""

    @property
    def receipt(self) -> Receipt | None:
        """Where the edit landed; None of a text that was not steered. Raises InputError where there were several edits:
        `receipts` has them all."""
        if len(self.receipts) > 1:
            raise InputError(
                "several edits have several receipts",
                given=f"{len(self.receipts)} receipts",
                allowed="`receipt` where there was one edit",
                do="look at `receipts`",
            )
        return self.receipts[0] if self.receipts else None

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        from introlab.io.markup import card, words

        facts = {
            "prompt": self.prompt,
            "tokens": f"{len(self.tokens)}, stopped by {self.stopped_by}",
            "readings": ", ".join(self.readings) or "none",
            **{f"receipt {index}": str(receipt) for index, receipt in enumerate(self.receipts)},
        }
        return card("Completion", facts, below=words(self.text))
