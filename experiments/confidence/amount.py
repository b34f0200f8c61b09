"""How much the experiment writes and reads: counted on some of its questions, each with its right answer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.confidence.cases import room_for
from experiments.confidence.elicitation import WRITTEN
from experiments.confidence.prompts import ConfidencePrompts
from experiments.confidence.ways import Way, ways_of
from introlab.experiment.context import RunContext
from introlab.generation.prefill import ALIKE, common
from introlab.network.messages import assistant, user
from introlab.records.size import Size
from introlab.tasks.materials import Question, Split

if TYPE_CHECKING:
    from experiments.confidence.experiment import Confidence

COUNTED = 12
"""Questions whose tokens are counted, for the mean of all."""
LOGITS = 1.3
"""What a token costs of which the logits are asked for, too, of one without: SmolLM2's vocabulary is a quarter more."""
SHOWN = 20
"""Tokens of own samples that are shown before P(True)."""
PER_FIT = 4e-7
"""Seconds of fitting a probe at three penalties, by the square of the width."""
ANALYSIS = 6.0
"""Seconds of intervals and report."""


def sized(experiment: "Confidence", bench: RunContext, asked: Mapping[Split, Sequence[Question]]) -> Size:
    """Of these questions. What is read of each: the question while it is answered; question and answer in the model and
    in an untrained one; and what it is asked about its answer, less what beginnings have in common."""
    room, count = room_for(bench, experiment.room), {split: len(some) for split, some in asked.items()}
    questions, ways = sum(count.values()), ways_of(bench.materials)
    tokens = _Tokens(bench, asked["test"])
    plain = tokens.prompt - tokens.head + tokens.prompt * (1 + LOGITS) + bench.model.n_layers / 5
    tune = count["calibrate"] // 2
    spoken = questions if experiment.signals_everywhere else count["calibrate"] - tune + count["test"]
    tried = min(experiment.tried, tune) if len(ways) > 1 else 0
    written = [way for way in ways if way.read == "reply"]
    texts = questions * (1 + experiment.samples)
    read = questions * plain + spoken * tokens.spoken + tried * tokens.tried(ways)
    fits = bench.model.n_layers * (8 + len({one.kind for one in asked["extract"]}) / 3)
    return Size(
        texts,
        texts * room + tried * len(written) * WRITTEN,
        read=round(read),
        read_again=round((questions * (1 + LOGITS) + spoken * 2 + tried) * room),
        seconds=ANALYSIS + fits * PER_FIT * bench.model.d_model**2,
    )


class _Tokens:
    """Means over some questions."""

    def __init__(self, bench: RunContext, questions: Sequence[Question]):
        self._bench = bench
        some = questions[:: max(1, len(questions) // COUNTED)][:COUNTED]
        self._some, wording = some, ConfidencePrompts.of(bench.materials)
        prompts = [tuple(bench.model.ids([user(one.text)])) for one in some]
        before = [bench.model.ids([user(wording.ask_before.format(subject=one.subject))]) for one in some]
        alike = common(prompts)
        self.head = alike if alike >= ALIKE else 0
        self.prompt = sum(map(len, prompts)) / len(some)
        self._before = sum(map(len, before)) / len(some) - self.head
        self._true = self._asked(wording.ask_true)

    @property
    def spoken(self) -> float:
        """Read after an answer, of each question: before it, how sure; after it, how sure and P(True); P(True) again,
        shown its own samples."""
        own = self.prompt - self.head
        return self._before + own + 2 * self._true + own + SHOWN + self._true

    def tried(self, ways: Sequence[Way]) -> float:
        """Read to try these ways on one question."""
        orders = [each for way in ways for each in (way, way.swap) if each is not None]
        return self.prompt - self.head + sum(self._asked(each.ask, each.prefill) for each in orders)

    def _asked(self, ask: str, prefill: str = "") -> float:
        """Tokens of a turn that asks this, after question and answer."""
        one = self._some[0]
        before = [user(one.text), assistant(one.answer)]
        ids = self._bench.model.ids
        return len(ids([*before, user(ask)], prefill=prefill)) - len(ids(before[:1])) - len(one.answer) / 4
