"""Simulated models of a known truth for the verdicts of confidence: what discriminates correct from incorrect answers.

That a question is difficult is known to every signal and baseline of most of these models, so that all have a high
pooled AUROC; what they tell among equally difficult questions is planted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from benchmarks.verdict_rules import SimulatedWorld, Told
from experiments.confidence.beyond_difficulty import checks, within_levels_rows
from experiments.confidence.experiment import Confidence
from experiments.confidence.labels import BASELINES, MAIN, SIGNALS
from experiments.confidence.simulation import PlantedConfidence, planted_answers
from experiments.confidence.verdicts import grounds_of, verdict
from introlab.records.findings import Answer, Row
from introlab.records.trial import Trial

NAME, STATED = "confidence", "stated_after"
SHOWN: Mapping[bool | None, str] = {True: "passed", False: "failed", None: "cannot tell"}
SOLVED = {"1": 1.0, "2": 1.0, "3": 0.0, "4": 0.0}
"""Levels that are answered correctly always or never: no two answers can be compared."""
NEARLY = {"1": 1.0, "2": 0.97, "3": 0.0, "4": 0.0}
"""Three or four incorrect answers that can be compared."""


def run(planted: PlantedConfidence, seed: int) -> tuple[list[Trial], list[Trial], list[Row]]:
    """Test trials, those with an answer, and rows of a simulated run of default size."""
    tested = list(planted_answers(NAME, planted, seed, Confidence().test))
    answered = [trial for trial in tested if trial.outcomes["right"] is not None]
    return tested, answered, list(within_levels_rows("simulated", answered, (STATED, MAIN)))


def answered_by(planted: PlantedConfidence, seed: int, signal: str) -> tuple[Answer, str]:
    """Whether this signal is said to discriminate, and the verdict or the question's answer."""
    tested, _, rows = run(planted, seed)
    question = f"{SIGNALS[signal]}:"
    answers: list[Answer] = [each.answer for each in grounds_of(tested, rows) if each.question.startswith(question)]
    answer = answers[0] if answers else "cannot tell"
    return answer, verdict(tested, rows) if signal == STATED else answer


def of(signal: str, name: str, planted: PlantedConfidence, *, truth: Answer, must: bool = False) -> SimulatedWorld:
    """Right where it is said of the signal what is planted."""

    def told(seed: int) -> tuple[Told, str]:
        answer, said = answered_by(planted, seed, signal)
        return ("cannot tell" if answer == "cannot tell" else "right" if answer == truth else "wrong"), said

    than = "difficulty" if signal == STATED else "difficulty and the baselines"
    rule = f"{'stated confidence' if signal == STATED else 'the probe'} discriminates beyond {than}"
    return SimulatedWorld(NAME, rule, name, told, must)


def check(control: str, name: str, planted: PlantedConfidence, *, passes: bool) -> SimulatedWorld:
    """Of a check: right where it comes out so."""

    def told(seed: int) -> tuple[Told, str]:
        _, answered, rows = run(planted, seed)
        passed = next(each.passed for each in checks("", answered, rows, several=False) if each.control == control)
        return ("cannot tell" if passed is None else "right" if passed == passes else "wrong"), SHOWN[passed]

    return SimulatedWorld(NAME, f"check: {control}", name, told, must=True)


def floors(signal: str, knows: str, planted: PlantedConfidence) -> Iterator[SimulatedWorld]:
    """Of models of which too little is read, though the signal would discriminate."""
    floor = {
        "1 in 40 replies holds an answer": replace(planted, answered=0.025),
        "every level always or never correct": replace(planted, right=SOLVED),
        "three or four incorrect answers to compare": replace(planted, right=NEARLY),
    }
    for name, each in floor.items():
        yield of(signal, f"{knows}; {name}", each, truth="yes")


SAYING = (
    of(STATED, "says how difficult the question is", PlantedConfidence(), truth="no"),
    of(STATED, "says how difficult the question is, and little else", PlantedConfidence(difficulty=3.0), truth="no"),
    of(STATED, "says nothing of its answers", PlantedConfidence(difficulty=0.0), truth="no"),
    of(STATED, "says which answers are correct", PlantedConfidence(stated=1.0), truth="yes", must=True),
    of(
        STATED,
        "says which answers are correct, half as well",
        PlantedConfidence(stated=0.5),
        truth="yes",
        must=True,
    ),
    of(
        STATED,
        "says which answers are correct; in kind after a third of them",
        PlantedConfidence(stated=1.0, in_kind=0.33),
        truth="yes",
    ),
    *floors(STATED, "says which answers are correct", PlantedConfidence(stated=1.0)),
)
AS_GOOD = {"embedding": 0.8}
PROBED = (
    of(MAIN, "probe and baselines know how difficult the question is", PlantedConfidence(), truth="no"),
    of(
        MAIN,
        "the probe alone knows how difficult the question is",
        PlantedConfidence(difficulty=2.0, of_baselines=0.0),
        truth="no",
    ),
    of(MAIN, "embeddings as good as the probe", PlantedConfidence(probe=0.8, baselines=AS_GOOD), truth="no"),
    of(
        MAIN,
        "embeddings as good as the probe, with the same errors",
        PlantedConfidence(probe=0.8, baselines=AS_GOOD, shared=0.8),
        truth="no",
    ),
    of(
        MAIN,
        "each baseline as good as the probe",
        PlantedConfidence(probe=0.8, baselines=dict.fromkeys(BASELINES, 0.8)),
        truth="no",
    ),
    of(
        MAIN,
        "embeddings as good as the probe, which alone knows the difficulty",
        PlantedConfidence(difficulty=2.0, of_baselines=0.0, probe=0.8, baselines=AS_GOOD),
        truth="no",
    ),
    of(
        MAIN,
        "a probe at chance, baselines below it",
        PlantedConfidence(baselines=dict.fromkeys(BASELINES, -1.0)),
        truth="no",
    ),
    of(
        MAIN,
        "a probe above embeddings that know something",
        PlantedConfidence(probe=1.2, baselines={"embedding": 0.4}),
        truth="yes",
        must=True,
    ),
    of(MAIN, "a probe above all baselines", PlantedConfidence(probe=0.8), truth="yes", must=True),
    *floors(MAIN, "a probe above all baselines", PlantedConfidence(probe=1.2)),
)
CHECKED = (
    check("embedding", "a probe above embeddings", PlantedConfidence(probe=1.0), passes=True),
    check(
        "embedding",
        "a probe above embeddings over all questions alone",
        PlantedConfidence(difficulty=2.0, of_baselines=0.0, probe=0.8, baselines=AS_GOOD),
        passes=False,
    ),
)
WORLDS = (*SAYING, *PROBED, *CHECKED)
