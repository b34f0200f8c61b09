"""Right and wrong answers that the model did not choose: is the error there for it, whoever made it?

Every question comes with both, in the model's own turn and in the user's. Right and wrong ones are equally difficult
then: only what the model makes of the answer tells them apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments.shared.reflection_cases import reconsider_tokens
from introlab.activations.extract import Activations, next_token_logprobs, read
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.network.answer_tokens import answer_tokens
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.tasks.materials import Question
from probes.linear.fit import fit_best
from probes.linear.probe import Probe
from probes.text.reflection import PlantedAnswer, planted_answers


@dataclass(frozen=True)
class Planted:
    """A question with an answer put there."""

    question: Question
    whose: str
    answer: str
    placed: PlantedAnswer

    @property
    def wrong(self) -> bool:
        return self.answer != self.question.answer


def planted(bench: RunContext, questions: Sequence[Question]) -> list[Planted]:
    """Four texts of every question: right and wrong, own and another's. The wrong answer is the right one of the next
    question of its kind that has another; questions of a kind with one answer only are left out."""
    found: list[Planted] = []
    for kind in sorted({one.kind for one in questions}):
        alike = sorted((one for one in questions if one.kind == kind), key=lambda one: one.id)
        for index, question in enumerate(alike):
            others = (one.answer for one in (*alike[index + 1 :], *alike[:index]))
            wrong = next((answer for answer in others if answer != question.answer), None)
            for answer in (question.answer, wrong):
                if answer is not None and wrong is not None:
                    placed = planted_answers(bench.model, bench.materials.wording, question, answer)
                    found += [Planted(question, whose, answer, text) for whose, text in placed.items()]
    return found


@dataclass(frozen=True)
class ErrorProbes:
    """Fitted on answers planted after some questions, layer and penalty chosen on others."""

    bench: RunContext
    error: Probe
    """Of answers of its own, prefilled: whether they are wrong."""
    owner: Probe
    """Of wrong answers: whether they are its own."""

    def readings(self, cases: Sequence[Planted]) -> list[dict[str, float | None]]:
        """Both probes, P(reconsider) where the model goes on, and the probability it gives the answer where it would be
        its own (None where that takes several tokens). Raises SplitOverlap for a question that was fitted on."""
        self.error.check_held_out([case.question.id for case in cases])
        here, model = _at_answers(self.bench, cases), self.bench.model
        tokens = list(reconsider_tokens(model, self.bench.materials.wording))
        texts = [case.placed.text for case in cases]
        after = next_token_logprobs(model, texts, batch_size=self.bench.batch_size)
        columns = {
            "error": self.error.log_odds(here[self.error.direction.site]).tolist(),
            "owner": self.owner.log_odds(here[self.owner.direction.site]).tolist(),
            "p_reconsider": after[:, tokens].exp().sum(-1).tolist(),
            "answer_probability": self._probabilities(cases),
        }
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def _probabilities(self, cases: Sequence[Planted]) -> list[float | None]:
        texts, frame = list[Text](), self.bench.materials.wording.answer_frame
        for case in cases:
            ids = self.bench.model.ids([user(case.question.text)], prefill=frame, room=1)
            texts.append(Text(tuple(ids), len(ids), case.question.id))
        log_p = next_token_logprobs(self.bench.model, texts, batch_size=self.bench.batch_size)
        forms = [answer_tokens(self.bench.model, case.answer) for case in cases]
        return [float(row[list(ids)].exp().sum()) if ids else None for row, ids in zip(log_p, forms, strict=True)]


def fit_errors(bench: RunContext, train: Sequence[Question], tune: Sequence[Question]) -> ErrorProbes | None:
    """None where there are no two answers to choose from."""
    fitted, kept = planted(bench, train), planted(bench, tune)
    if not fitted or not kept:
        return None
    both = [(cases, _at_answers(bench, cases)) for cases in (fitted, kept)]

    def probe(label: Callable[[Planted], bool], among: Callable[[Planted], bool]) -> Probe:
        (values, labels), (others, truth) = (
            (
                [each.where([among(case) for case in cases]) for each in here.values()],
                [label(case) for case in cases if among(case)],
            )
            for cases, here in both
        )
        return fit_best(values, labels, others, truth, model=bench.model)

    def wrong(case: Planted) -> bool:
        return case.wrong

    def own(case: Planted) -> bool:
        return case.whose == "own"

    return ErrorProbes(bench, probe(wrong, among=own), probe(own, among=wrong))


def _at_answers(bench: RunContext, cases: Sequence[Planted]) -> dict[Site, Activations]:
    """After every block, at the last token of each planted answer."""
    sites = [Site(layer) for layer in range(bench.model.n_layers)]
    texts, places = [case.placed.text for case in cases], [[case.placed.at] for case in cases]
    return {
        site: here for (site, _), here in read(bench.model, texts, sites, places, batch_size=bench.batch_size).items()
    }
