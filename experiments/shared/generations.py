"""Written texts on their way to trials: how likely the unsteered model finds them, and what all trials keep of one.

The note of a request says what the trial is to hold: `split`, `condition`, `strength`, `draw`, and `both`, the prompt
under which its coherence is judged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from introlab.activations.extract import text_logprobs
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.generation.requests import Generation, Request
from introlab.network.messages import user
from introlab.network.model import Model
from introlab.records.trial import Trial
from probes.text.coherence import CoherenceBounds, CoherenceDistance, CoherenceTest, sentence_logprobs

Written = tuple[Request, Generation]


def finished(pair: Written) -> Text:
    """To be read again, without what was done while it was written."""
    request, generation = pair
    return Text.written(request.prompt, generation.tokens, f"{request.item} #{request.replicate}")


def logprobs(bench: RunContext, written: Sequence[Written]) -> list[float | None]:
    """How likely the model finds each text, unsteered: of an organism its sentences, asked for all it may be about; of
    another model the text as it was asked for."""
    if bench.model.family is None:
        each = text_logprobs(bench.model, list(map(finished, written)), batch_size=bench.batch_size)
        return [float(np.mean(one)) if one else None for one in each]
    asked = [(bench.model.ids([user(request.note["both"])]), generation.tokens) for request, generation in written]
    return sentence_logprobs(bench.model, asked, bench.materials.wording.announcement, batch_size=bench.batch_size)


def with_logprobs(bench: RunContext, written: Iterable[Written]) -> Iterator[tuple[Written, float | None]]:
    """As they come, a batch at a time."""
    for chunk in bench.chunks(written):
        yield from zip(chunk, logprobs(bench, chunk), strict=True)


def bounds_of(bench: RunContext, unsteered: Sequence[Written]) -> CoherenceTest:
    """Beyond which a text is incoherent."""
    return coherence_test(bench.model, logprobs(bench, unsteered), [one.tokens for _, one in unsteered])


def coherence_test(model: Model, logprobs: Sequence[float | None], tokens: Sequence[Sequence[int]]) -> CoherenceTest:
    """From unsteered texts. Verdicts on organisms rest on bounds of their own kind, which stay as they are."""
    if model.family is None:
        return CoherenceDistance.of(logprobs, tokens)
    return CoherenceBounds.of(logprobs, tokens, [model.text(each) for each in tokens])


def trial_of(
    bench: RunContext,
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
