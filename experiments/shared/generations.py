"""Written texts on their way to trials: how likely the unsteered model finds them, and what all trials keep of one.

The note of a request says what the trial is to hold: `split`, `condition`, `strength`, `draw`, and `both`, the prompt
under which its coherence is judged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from introlab.activations.forward import Text
from introlab.experiment.context import Bench
from introlab.generation.requests import Generation, Request
from introlab.network.messages import user
from introlab.records.trial import Trial
from probes.text.coherence import CoherenceBounds, sentence_logprobs

Written = tuple[Request, Generation]


def finished(pair: Written) -> Text:
    """To be read again, without what was done while it was written."""
    request, generation = pair
    return Text.written(request.prompt, generation.tokens, f"{request.item} #{request.replicate}")


def logprobs(bench: Bench, written: Sequence[Written]) -> list[float | None]:
    """How likely the model finds the sentences of each text, unsteered and asked for all it may be about."""
    asked = [(bench.model.ids([user(request.note["both"])]), generation.tokens) for request, generation in written]
    return sentence_logprobs(bench.model, asked, bench.materials.wording.announcement, batch_size=bench.batch_size)


def with_logprobs(bench: Bench, written: Iterable[Written]) -> Iterator[tuple[Written, float | None]]:
    """As they come, a batch at a time."""
    for chunk in bench.chunks(written):
        yield from zip(chunk, logprobs(bench, chunk), strict=True)


def bounds_of(bench: Bench, unsteered: Sequence[Written]) -> CoherenceBounds:
    """Beyond which a text is incoherent."""
    tokens = [generation.tokens for _, generation in unsteered]
    return CoherenceBounds.of(logprobs(bench, unsteered), tokens, [bench.model.text(each) for each in tokens])


def trial_of(
    bench: Bench,
    experiment: str,
    pair: Written,
    *,
    cluster: str,
    readings: Mapping[str, Any],
    outcomes: Mapping[str, Any],
) -> Trial:
    """What was asked for, what was written, and what was read of it."""
    request, generation = pair
    note = request.note
    return Trial(
        experiment=experiment,
        model=bench.model.name,
        item=request.item,
        cluster=cluster,
        split=note["split"],
        condition=note["condition"],
        strength=note["strength"],
        draw=note["draw"],
        replicate=request.replicate,
        prompt=bench.model.text(request.prompt),
        text=bench.model.text(generation.tokens),
        tokens=generation.tokens,
        readings=dict(readings),
        outcomes=dict(outcomes),
        receipts=generation.receipts,
    )
