"""Texts token by token, without a model: its tokenizer is enough, and believed only where it writes the stored text."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from introlab.errors import InputError
from introlab.network.specs import resolve
from introlab.records.receipt import Receipt

MOST_COLUMNS = 64
"""Of a reading that has several values per token."""


def pieces(spec: str, tokens: Sequence[int], text: str) -> tuple[str, ...] | None:
    """What each token wrote; "" of one that only began a character. Where this machine has no tokenizer of the model,
    or another one than wrote the text, the words if there is one per token, else None."""
    tokenizer = _tokenizer(spec)
    if tokenizer is not None and tokenizer.decode(list(tokens), skip_special_tokens=True) == text:
        return written(tokenizer, tokens)
    words = re.findall(r"\s*\S+", text)
    return tuple(words) if len(words) == len(tokens) else None


def written(tokenizer: Tokenizer, tokens: Sequence[int]) -> tuple[str, ...]:
    """What each token wrote, special ones included."""
    stream = DecodeStream(skip_special_tokens=False)
    return tuple(stream.step(tokenizer, token) or "" for token in tokens)


@lru_cache(maxsize=32)
def _tokenizer(spec: str) -> Tokenizer | None:
    """From this machine only; None where it is not here."""
    try:
        source, folder = resolve(spec)
        path = folder / "tokenizer.json" if folder else try_to_load_from_cache(source, "tokenizer.json")
        return Tokenizer.from_file(str(path)) if isinstance(path, str | Path) and Path(path).is_file() else None
    except (InputError, OSError, ValueError):
        return None
    except Exception as error:  # the tokenizers library has no class of its own for a file it cannot read
        if type(error) is not Exception:
            raise
        return None


def per_token(readings: Mapping[str, Any], tokens: int) -> dict[str, tuple[float | None, ...]]:
    """Readings with a value for each token, by name; several values per token (latents) become one reading each."""
    found: dict[str, tuple[float | None, ...]] = {}
    for name, values in readings.items():
        if not isinstance(values, list) or len(values) != tokens or not tokens:
            continue
        if all(map(_is_number, values)):
            found[name] = tuple(values)
        elif all(isinstance(each, list) and len(each) == len(values[0]) <= MOST_COLUMNS for each in values):
            columns = list(zip(*values, strict=True))
            found |= {f"{name} {index}": column for index, column in enumerate(columns) if all(map(_is_number, column))}
    return found


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def prompt_length(receipts: Sequence[Receipt]) -> int | None:
    """How many tokens were read before the first new one: where an edit went on from the prompt into the text; None
    where no receipt tells, or they do not agree."""
    told = {
        receipt.decoded[0][0]
        for receipt in receipts
        if receipt.prefill and receipt.decoded and receipt.prefill[-1][1] == receipt.decoded[0][0]
    }
    return told.pop() if len(told) == 1 else None


def touched(receipts: Sequence[Receipt], tokens: int) -> tuple[bool, ...] | None:
    """Which of the new tokens were read under an edit; None where that cannot be told."""
    start = prompt_length(receipts)
    if start is None:
        return None
    ranges = [each for receipt in receipts for each in receipt.decoded]
    return tuple(any(low <= start + index < high for low, high in ranges) for index in range(tokens))
