"""What a model would write next after each of many texts that begin alike: what they share is read once.

Asked several things about one answer, a model reads the same system turn for all, and the same question and answer for
each. The beginning of all texts is read once; after it, that of each group; then what is left of each text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

from introlab.activations.extract import next_token_logprobs
from introlab.activations.forward import TOGETHER, Text
from introlab.generation.prefill import Prefill, common, joined
from introlab.network.kv_cache import Parts
from introlab.network.model import Model

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Branching:
    """Texts that share this many of their first tokens."""

    stem: int
    texts: tuple[Ids, ...]


def after_each(
    model: Model, texts: Sequence[Sequence[int]], *, batch_size: int = TOGETHER
) -> Iterator[tuple[list[int], Float[Tensor, "row vocab"]]]:
    """Log-probabilities of the token after each text, as `next_token_logprobs` gives them (to rounding), some rows at a
    time, each with the indices of the texts; no promised order. A text that is there twice is read once. Raises
    ContextOverflow.
    """
    where: dict[Ids, list[int]] = {}
    for index, text in enumerate(texts):
        model.check_length(len(text))
        where.setdefault(tuple(text), []).append(index)
    if not where:
        return
    read = _whole if model.deterministic or not model.can_share else _shared
    for some, log_p in read(model, sorted(where), batch_size):
        rows = [row for row, text in enumerate(some) for _ in where[text]]
        yield [index for text in some for index in where[text]], log_p[rows]


def _whole(model: Model, texts: Sequence[Ids], batch_size: int) -> Iterator[tuple[Sequence[Ids], Tensor]]:
    """Each by itself: a deterministic model's passes depend on one text alone, and not every network can share."""
    size = 8 * (TOGETHER if model.deterministic else batch_size)
    for start in range(0, len(texts), size):
        some = texts[start : start + size]
        whole = [Text(text, len(text), str(index)) for index, text in enumerate(some)]
        yield some, next_token_logprobs(model, whole, batch_size=batch_size)


def _shared(model: Model, texts: Sequence[Ids], batch_size: int) -> Iterator[tuple[Sequence[Ids], Tensor]]:
    head = min(common(texts), *(len(text) - 1 for text in texts)) if len(texts) > 1 else 0
    prefill = Prefill(model, remember=0)
    first = prefill.run([texts[0][:head]], [], [head])[0].parts() if head else []
    waiting = sorted(branchings(texts, head), key=lambda one: (one.stem, max(map(len, one.texts))))
    while waiting:
        some, rows = [waiting.pop(0)], 0
        while waiting and rows + len(waiting[0].texts) <= batch_size:
            rows += len(waiting[0].texts)
            some.append(waiting.pop(0))
        stems = _stems(prefill, first, head, some)
        pairs = [(text, each) for each in some for text in each.texts]
        pairs.sort(key=lambda pair: len(pair[0]) - pair[1].stem)
        for start in range(0, len(pairs), batch_size):
            part = pairs[start : start + batch_size]
            log_p = _ends(prefill, part, stems)
            yield [text for text, _ in part], log_p


def _stems(prefill: Prefill, first: Parts, head: int, some: Sequence[Branching]) -> dict[Ids, Parts]:
    """Keys and values of each beginning, read after that of all."""
    own = [each for each in some if each.stem > head]
    found: dict[Ids, Parts] = {each.texts[0][: each.stem]: first for each in some if each.stem == head}
    if own:
        rest = max(each.stem for each in own) - head
        heads = [max(0, min(head, each.stem - rest)) for each in own]
        past = joined([first] * len(own), heads)
        texts = [each.texts[0][before : each.stem] for each, before in zip(own, heads, strict=True)]
        parts = prefill.run(texts, past, [each.stem for each in own])[0].parts()
        for row, each in enumerate(own):
            here = slice(row, row + 1), slice(None), slice(-each.stem, None)
            found[each.texts[0][: each.stem]] = [(keys[here], values[here]) for keys, values in parts]
    return found


def _ends(prefill: Prefill, part: Sequence[tuple[Ids, Branching]], stems: dict[Ids, Parts]) -> Tensor:
    """Log-probabilities after each: all read equally many tokens, so that all end alike."""
    rest = max(len(text) - each.stem for text, each in part)
    befores = [max(0, len(text) - rest) for text, _ in part]
    past = joined([stems[each.texts[0][: each.stem]] for _, each in part], befores)
    texts = [text[before:] for (text, _), before in zip(part, befores, strict=True)]
    _, logits = prefill.run(texts, past, [len(text) for text, _ in part], logits_to_keep=1)
    assert logits is not None
    return logits[:, -1].float().log_softmax(-1).cpu()


def branchings(texts: Sequence[Ids], head: int) -> list[Branching]:
    """Sorted texts, each in one group with one beginning: texts stay together where that saves more tokens, beyond
    those that all share, than their branches do apart."""
    shared = [common(pair) for pair in pairwise(texts)]

    def best(first: int, last: int) -> tuple[int, list[Branching]]:
        if last - first == 1:
            return 0, [Branching(head, (texts[first],))]
        shallow = min(shared[first : last - 1])
        cuts = [first, *(at + 1 for at in range(first, last - 1) if shared[at] == shallow), last]
        each = [best(*pair) for pair in pairwise(cuts)]
        stem = min(shallow, *(len(text) - 1 for text in texts[first:last]))
        together, apart = (last - first - 1) * (stem - head), sum(saved for saved, _ in each)
        if together > apart:
            return together, [Branching(stem, tuple(texts[first:last]))]
        return apart, [group for _, groups in each for group in groups]

    return best(0, len(texts))[1]
