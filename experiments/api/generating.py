"""`lab.generate`: texts in the order asked, steered or not, with what was read while they were written."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict, Unpack, overload

from tqdm.auto import tqdm

from experiments.api.completion import Completion
from experiments.api.readouts import Readouts, readouts_of
from experiments.api.texts import Chat, as_list, is_one, messages_of
from introlab.activations.steering_terms import Steering
from introlab.errors import InputError, NotFinite
from introlab.generation.requests import Generation, Request
from introlab.generation.sampling import Sampling
from introlab.generation.scheduler import generate as write
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import Message, system
from introlab.network.model import Model
from introlab.network.spans import Span
from steering.edits import steered_by

Steer = Steering | Intervention | Sequence[Intervention]
"""What is done to a text while it is written: ``direction * 0.3``, or interventions of the lab."""


class GenerateOptions(TypedDict, total=False):
    """Keywords of `generate`, for its overloads."""

    steer: Steer | None
    readouts: Readouts | None
    max_new: int
    temperature: float
    seed: int
    span: Span | None
    system_prompt: str
    prefill: str
    stop: Sequence[str]
    batch_size: int | None
    progress: bool


@overload
def generate(model: Model, prompts: str | list[Message], **options: Unpack[GenerateOptions]) -> Completion: ...
@overload
def generate(
    model: Model,
    prompts: list[str] | list[list[Message]] | list[Chat] | tuple[Chat, ...],
    **options: Unpack[GenerateOptions],
) -> list[Completion]: ...
def generate(
    model: Model,
    prompts: Chat | Sequence[Chat],
    *,
    steer: Steer | None = None,
    readouts: Readouts | None = None,
    max_new: int = 64,
    temperature: float = 0.0,
    seed: int = 0,
    span: Span | None = None,
    system_prompt: str = "",
    prefill: str = "",
    stop: Sequence[str] = (),
    batch_size: int | None = None,
    progress: bool = False,
) -> Completion | list[Completion]:
    """Write an answer to each prompt, in the order asked; one prompt gives one answer, a list gives a list.

    A prompt is a user's turn or the messages of a dialogue. `steer` is ``direction * share``: that share of the local
    residual norm is added wherever new text is predicted, or at `span`. `readouts` are read at the position that
    predicts each token. Greedy unless a temperature is given; a prompt that comes twice is then written twice, from
    other random numbers. Raises InputError, ModelMismatch and ContextOverflow before anything is written; NotFinite
    where logits were; EditNotApplied where an edit did not land.
    """
    asked = [messages_of(chat) for chat in as_list(prompts, "prompts")]
    _check_numbers(max_new)
    steering, readings = _steering(model, steer, span), readouts_of(model, readouts)
    requests = _requests(
        model,
        [[system(system_prompt), *chat] if system_prompt else chat for chat in asked],
        prefill=prefill,
        interventions=steering,
        max_new=max_new,
        sampling=Sampling(temperature=temperature),
        stop=tuple(stop),
    )
    pairs = write(model, requests, seed=seed, batch_size=batch_size, readouts=readings)
    words = [chat[-1]["content"] for chat in asked]
    answers = _in_order(model, tqdm(pairs, total=len(requests), desc="writing", disable=not progress), words)
    return answers[0] if is_one(prompts) else answers


def _in_order(model: Model, pairs: Iterable[tuple[Request, Generation]], prompts: list[str]) -> list[Completion]:
    """As asked, whatever the order in which they end. Raises NotFinite as soon as a text has failed."""
    written: dict[int, Completion] = {}
    for request, generation in pairs:
        if generation.error:
            raise NotFinite(
                "a text failed",
                given=generation.error,
                allowed="finite logits",
                do="steer by less, or load the model in float32",
            )
        written[request.note] = _completion(model, request, generation, prompts[request.note])
    return [written[index] for index in range(len(prompts))]


def _check_numbers(max_new: int) -> None:
    if max_new < 1:
        raise InputError("nothing to write", given=f"max_new {max_new}", allowed="1 or more", do="ask for some tokens")


def _steering(model: Model, steer: Any, span: Span | None) -> tuple[Intervention, ...]:
    """The interventions, checked against the model. Raises InputError for a bare direction, which has no strength."""
    if steer is None:
        return ()
    if isinstance(steer, Steering):
        found = steered_by(steer, span=span)
    else:
        found = (steer,) if isinstance(steer, Intervention) else steer if isinstance(steer, list | tuple) else None
    if found is None or not all(isinstance(one, Intervention) for one in found):
        raise InputError(
            "nothing to steer by",
            given=type(steer).__name__,
            allowed="a direction times a number, or interventions",
            do="write steer=direction * 0.3: 0.3 of the local residual norm",
        )
    for one in found:
        one.check_made_for(model)
    return tuple(found)


def _requests(model: Model, chats: Sequence[Sequence[Message]], *, prefill: str, **settings: object) -> list[Request]:
    """One request for each chat. The random stream is named by the prompt's tokens, so that an answer does not depend
    on what else is asked."""
    seen: Counter[tuple[int, ...]] = Counter()
    requests: list[Request] = []
    for index, chat in enumerate(chats):
        ids = tuple(model.ids(chat, prefill=prefill))
        requests.append(Request(ids, f"prompt {ids}", replicate=seen[ids], note=index, **settings))  # type: ignore[arg-type]
        seen[ids] += 1
    return requests


def _completion(model: Model, request: Request, generation: Generation, prompt: str) -> Completion:
    return Completion(
        **vars(generation),
        prompt=prompt,
        text=model.text(generation.tokens),
        pieces=token_texts(model, generation.tokens),
        prompt_ids=request.prompt,
        model=model.fingerprint,
    )


def token_texts(model: Model, tokens: Sequence[int]) -> tuple[str, ...]:
    """What each token writes, special ones included; "" of one that only begins a character."""
    from introlab.reporting.detokenize import written

    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return written(backend, tokens)
    return tuple(model.tokenizer.decode([token]) for token in tokens)
