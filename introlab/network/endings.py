"""What ends a text: tokens that end a turn, and strings that its caller does not want to read beyond."""

from collections.abc import Sequence
from typing import Any

from introlab.network.chat import ChatFormat


def turn_ends(network: Any, tokenizer: Any, chat: ChatFormat) -> tuple[int, ...]:
    """The tokens that end a turn, each once: those that the chat template writes after an answer, those of the
    generation configuration, and the tokenizer's own."""
    configured = getattr(getattr(network, "generation_config", None), "eos_token_id", None)
    listed = list(configured) if isinstance(configured, list | tuple) else [configured]
    every = [*chat.end_ids, *listed, getattr(tokenizer, "eos_token_id", None)]
    return tuple(dict.fromkeys(int(token) for token in every if token is not None))


def holds_stop(tokenizer: Any, prompt: Sequence[int], tokens: Sequence[int], stops: Sequence[str]) -> bool:
    """Whether the new text holds one of these strings: as its tokens read after the prompt (spaces before them and
    special tokens are there then), or as the text is read on its own, without special tokens. A string that begins in
    the prompt does not count."""
    before = list(prompt[-1:])
    known = tokenizer.decode(before, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    whole = tokenizer.decode([*before, *tokens], skip_special_tokens=False, clean_up_tokenization_spaces=False)
    if whole.startswith(known):
        new = whole[len(known) :]
    else:  # the prompt ends within a character, say
        new = tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    bare = tokenizer.decode(list(tokens), skip_special_tokens=True)
    return any(stop in new or stop in bare for stop in stops)
