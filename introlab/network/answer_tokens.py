"""The tokens in which a model writes a given word."""

from collections.abc import Sequence

from introlab.errors import InputError
from introlab.network.model import Model


def single_tokens(model: Model, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The single-token forms of each word: as it stands, after a space, capitalised.

    Raises InputError for a word that has none in this tokenizer.
    """
    forms: dict[str, tuple[int, ...]] = {}
    for word in words:
        variants = {word, word.lower(), word.capitalize()}
        variants |= {f" {variant}" for variant in tuple(variants)}
        ids = {tuple(model.tokenizer(variant, add_special_tokens=False)["input_ids"]) for variant in sorted(variants)}
        unknown = getattr(model.tokenizer, "unk_token_id", None)
        forms[word] = tuple(sorted({one[0] for one in ids if len(one) == 1 and one[0] != unknown}))
        if not forms[word]:
            raise InputError(
                f"{model.name} has no single token for a word the wording needs",
                given=repr(word),
                do="choose another word in wording.json",
            )
    return forms


def answer_tokens(model: Model, answer: str) -> tuple[int, ...]:
    """The single-token forms of an answer; none where it takes more than one token."""
    try:
        return single_tokens(model, [answer])[answer]
    except InputError:
        return ()
