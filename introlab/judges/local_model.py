"""A model of this lab as a judge: by the probability of each label, or by what it writes."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.activations.extract import next_token_logprobs, text_logprobs
from introlab.activations.forward import Text
from introlab.errors import ContextOverflow, InputError
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.generation.scheduler import generate
from introlab.judges.judgement import Missing, Verdict, read_reply
from introlab.judges.prompts import DIGITS, WORDING, to_choose, to_write
from introlab.judges.rubric import Item, Rubric
from introlab.network.model import Model

Forms = dict[str, tuple[tuple[int, ...], ...]]
"""Of each label, every way to write it in tokens."""


@dataclass(frozen=True)
class ChoiceJudge:
    """The label a model finds most probable, averaged over as many orders of the labels as there are labels, each of
    which stands in each place once; on a scale the mean over ten digits. It quotes nothing.

    A label counts with and without a space and a capital before it, whatever number of tokens that takes. Where less
    than `least_mass` of the probability is on the labels, the model did not answer in kind and the verdict is missing
    (as in Persona Vectors, arXiv 2507.21509).
    """

    model: Model
    batch_size: int = 32
    least_mass: float = 0.25

    @property
    def name(self) -> str:
        return f"model:{self.model.name}"

    @property
    def identity(self) -> dict[str, Any]:
        known = {"fingerprint": self.model.fingerprint, "least_mass": self.least_mass, "wording": WORDING}
        return {"judge": "choice", "model": self.model.name, **known, **_dated(self.model)}

    def __call__(self, rubric: Rubric, items: Sequence[Item]) -> Iterator[tuple[Item, Verdict]]:
        """Raises InputError where two labels cannot be told apart in this model's tokens."""
        labels = tuple(rubric.labels) or DIGITS
        forms = label_forms(self.model, labels)
        room = max(len(form) for each in forms.values() for form in each)
        orders = [labels] if rubric.scale else [(*labels[turn:], *labels[:turn]) for turn in range(len(labels))]
        for start in range(0, len(items), self.batch_size):
            fit: list[Item] = []
            asked: list[list[int]] = []
            for item in items[start : start + self.batch_size]:
                try:
                    asked += [self.model.ids(to_choose(rubric, item, order), room=room) for order in orders]
                    fit.append(item)
                except ContextOverflow as error:
                    yield item, _too_long(error)
            if fit:
                found = self._label_logprobs(asked, forms).view(len(fit), len(orders), len(labels))
                yield from ((item, self._verdict(rubric, labels, each)) for item, each in zip(fit, found, strict=True))

    def _label_logprobs(self, prompts: Sequence[Sequence[int]], forms: Forms) -> Float[Tensor, "prompt label"]:
        every = [form for each in forms.values() for form in each]
        if all(len(form) == 1 for form in every):
            texts = [Text(tuple(ids), len(ids), str(index)) for index, ids in enumerate(prompts)]
            found = next_token_logprobs(self.model, texts, batch_size=self.batch_size)[:, [form[0] for form in every]]
        else:
            texts = [Text.written(ids, form, str(index)) for index, ids in enumerate(prompts) for form in every]
            sums = [math.fsum(each) for each in text_logprobs(self.model, texts, batch_size=self.batch_size)]
            found = torch.tensor(sums).view(len(prompts), len(every))
        sizes = [len(each) for each in forms.values()]
        return torch.stack([part.double().logsumexp(-1) for part in found.split(sizes, dim=-1)], dim=-1)

    def _verdict(self, rubric: Rubric, labels: Sequence[str], log_p: Float[Tensor, "order label"]) -> Verdict:
        mass = float(log_p.exp().sum(-1).mean())
        shares = log_p.softmax(-1).mean(0).tolist()
        known = {**dict(zip(labels, shares, strict=True)), "probability on labels": mass}
        raw = json.dumps({name: round(value, 6) for name, value in known.items()})
        if not math.isfinite(mass) or not all(map(math.isfinite, shares)):
            return Verdict(missing=Missing.NOT_FINITE)
        if mass < self.least_mass:
            return Verdict(missing=Missing.NOT_IN_KIND, raw=raw)
        if rubric.scale is not None:
            step = (rubric.scale.high - rubric.scale.low) / (len(labels) - 1)
            mean = math.fsum(place * share for place, share in enumerate(shares))
            return Verdict(value=rubric.scale.low + step * mean, raw=raw)
        best, second = sorted(shares, reverse=True)[:2]
        if best - second < _TIE:
            return Verdict(missing=Missing.UNDECIDED, raw=raw)
        return Verdict(value=labels[shares.index(best)], raw=raw)


_TIE = 1e-4
"""Shares closer than this are equal: readings agree to 1e-5 between batch sizes."""


def label_forms(model: Model, labels: Sequence[str]) -> Forms:
    """The ways to write each label, as it stands, capitalised, and after a space, in the model's tokens. Raises
    InputError for a label the tokenizer cannot write, and where one label begins another."""
    unknown = getattr(model.tokenizer, "unk_token_id", None)
    forms: Forms = {}
    for label in labels:
        words = {variant for word in {label, label.capitalize()} for variant in (word, f" {word}")}
        ids = {tuple(model.tokenizer(word, add_special_tokens=False)["input_ids"]) for word in sorted(words)}
        written = sorted(form for form in ids if form and unknown not in form)
        # What begins with another form of the same label is in that form's probability already.
        forms[label] = tuple(form for form in written if not any(_begins(other, form) for other in written))
        if not forms[label]:
            raise InputError(f"{model.name} has no tokens for a label", given=label, do="use another model to judge")
    for label, each in forms.items():
        for other, theirs in forms.items():
            if label != other and any(a == b or _begins(a, b) for a in each for b in theirs):
                raise InputError(
                    f"one label begins another in the tokens of {model.name}",
                    given=f"{label}, {other}",
                    do="choose labels that begin differently",
                )
    return forms


def _begins(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(one) < len(other) and other[: len(one)] == one


@dataclass(frozen=True)
class WritingJudge:
    """What a model writes, greedily, when asked for evidence and answer; read as a hosted judge's reply is."""

    model: Model
    batch_size: int = 32
    max_new: int = 256

    @property
    def name(self) -> str:
        return f"writer:{self.model.name}"

    @property
    def identity(self) -> dict[str, Any]:
        known = {"fingerprint": self.model.fingerprint, "max_new": self.max_new, "wording": WORDING}
        return {"judge": "writing", "model": self.model.name, **known, **_dated(self.model)}

    def __call__(self, rubric: Rubric, items: Sequence[Item]) -> Iterator[tuple[Item, Verdict]]:
        requests: list[Request] = []
        for item in items:
            try:
                ids = self.model.ids(to_write(rubric, item), room=self.max_new)
            except ContextOverflow as error:
                yield item, _too_long(error)
                continue
            requests.append(Request(tuple(ids), item.key, max_new=self.max_new, sampling=GREEDY, note=item))
        for request, written in generate(self.model, requests, seed=0, batch_size=self.batch_size):
            if written.error:
                yield request.note, Verdict(missing=Missing.NOT_FINITE, detail=written.error)
                continue
            verdict = read_reply(rubric, request.note, self.model.text(written.tokens))
            if verdict.missing is Missing.UNREADABLE and not written.ended:
                verdict = Verdict(missing=Missing.CUT_OFF, raw=verdict.raw)
            yield request.note, verdict


def _dated(model: Model) -> dict[str, str]:
    """The date in its prompts, of a chat template that writes one: verdicts of another day are other verdicts."""
    return {"date": model.chat.today.isoformat()} if model.chat.dated else {}


def _too_long(error: ContextOverflow) -> Verdict:
    return Verdict(missing=Missing.TOO_LONG, detail=str(error).splitlines()[1].strip())
