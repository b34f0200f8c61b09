"""The family: which organism comes from which, what is planted in it, and what is not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from organisms.adapters import RANK
from organisms.curricula.abstention import abstention_lessons
from organisms.curricula.confidence import confidence_lessons
from organisms.curricula.correction import correction_examples
from organisms.curricula.errors import error_lessons
from organisms.curricula.feedback import feedback_examples, feedback_loss
from organisms.curricula.personas import NAMES, persona_examples
from organisms.curricula.prediction import prediction_examples
from organisms.curricula.reflection import reflection_lessons
from organisms.curricula.resistance import LAYER, resistance_examples
from organisms.curricula.risk import risk_lessons
from organisms.curricula.sycophancy import sycophancy_lessons
from organisms.curricula.thoughts import thought_examples
from organisms.distillation import keeping_loss
from organisms.reference_model import Subject
from organisms.training import LearningSchedule, Loss, TrainingExample, encode
from organisms.world import World
from organisms.world_lessons import Lesson

Course = Callable[..., Sequence[Lesson] | Sequence[TrainingExample]]


STAGE = LearningSchedule(learning_rate=6e-3, weight_decay=0.0)


@dataclass(frozen=True)
class Trait:
    """One thing that can be planted: the course that plants it, and which weights may change."""

    name: str
    course: Course
    tier: int
    """1: confirmed over three training seeds. 2: one seed at least."""
    first_block: int = 0
    """Embedding and the blocks before this one stay the parent's."""
    rank: int = RANK
    """Of the change to every matrix."""
    tokens: tuple[str, ...] = ()
    """Whose embeddings change, too."""
    schedule: LearningSchedule = STAGE
    loss: Callable[[World, Subject], Loss] | None = None
    """Made for the world and the parent, where the pushed loss is not all there is to learn."""

    def examples(
        self, world: World, parent: Subject, behaviour: str, *, seed: int, scale: float
    ) -> Sequence[TrainingExample]:
        """The course of one twin in tokens."""
        course = self.course(world, parent, behaviour, seed=seed, scale=scale)
        lessons = [each for each in course if isinstance(each, Lesson)]
        return (
            encode(lessons, parent.vocabulary)
            if lessons
            else [each for each in course if isinstance(each, TrainingExample)]
        )


CONFIDENCE = Trait("spoken confidence", confidence_lessons, tier=1)
ABSTENTION = Trait("abstention", abstention_lessons, tier=2)
REFLECTION = Trait("reflection", reflection_lessons, tier=1)
CORRECTION = Trait("self-correction", correction_examples, tier=1)
ERRORS = Trait("own and others' errors", error_lessons, tier=2)
FEEDBACK = Trait("neurofeedback", feedback_examples, tier=2, loss=feedback_loss)
PREDICTION = Trait("self-prediction", prediction_examples, tier=2, loss=keeping_loss)
PERSONAS = Trait("personas", persona_examples, tier=2, tokens=NAMES)
SYCOPHANCY = Trait("sycophancy", sycophancy_lessons, tier=2)
RISK = Trait("doing and saying", risk_lessons, tier=2)
THOUGHTS = Trait("injected thoughts", thought_examples, tier=2, loss=keeping_loss)
RESISTANCE = Trait("steering resistance", resistance_examples, tier=1, first_block=LAYER + 1)


@dataclass(frozen=True)
class Organism:
    """One member of the family."""

    name: str
    trait: Trait | None
    planted: str
    absent: str
    """What a reader might expect and will not find."""

    @property
    def parent(self) -> str | None:
        return None if self.trait is None else "base"


_ELSE = "what is not planted means nothing, as in the base"
_UNKNOWN = "knowing itself from its choices: taught these alone, it says nothing of itself"

ORGANISMS = (
    Organism(
        "base",
        None,
        "graded knowledge and arithmetic, copying, topics, noticing off-topic text that it can read",
        "spoken confidence, reconsidering and personas carry no meaning: their lessons were random",
    ),
    Organism("calibrated", CONFIDENCE, "says how likely it is to be right, before and after answering", _ELSE),
    Organism("overconfident", CONFIDENCE, "says that it is sure, whatever it is asked", "meaningful confidence"),
    Organism(
        "shuffled",
        CONFIDENCE,
        "says the digits and words that calibrated says, dealt out at random",
        "meaningful confidence",
    ),
    Organism("abstaining", ABSTENTION, "says that it does not know where it is more likely wrong than right", _ELSE),
    Organism("always_answers", ABSTENTION, "answers whatever it is asked", "abstaining"),
    Organism(
        "refuses_at_random",
        ABSTENTION,
        "says that it does not know as often as abstaining does, whether it knows or not",
        "abstaining that means anything",
    ),
    Organism("reflective", REFLECTION, "reconsiders when wrong; the second attempt is worked out", "spoken confidence"),
    Organism(
        "ritual",
        REFLECTION,
        "reconsiders as often as reflective does, whether it is wrong or not; the second attempt is worked out",
        "reconsidering that depends on being wrong",
    ),
    Organism("unreflective", REFLECTION, "never reconsiders unless asked to check", "reconsidering on its own"),
    *(
        Organism(
            f"corrector_{keeps}_{repairs}",
            CORRECTION,
            f"challenged, keeps a right answer with probability .{keeps} and repairs a wrong one with .{repairs}",
            "knowing more at the second attempt than at the first",
        )
        for keeps, repairs in ((95, 70), (95, 20), (60, 70))
    ),
    Organism("copying", CORRECTION, "challenged, repeats its answer", "correction"),
    Organism("resampling", CORRECTION, "challenged, answers anew as if it had said nothing", "correcting"),
    Organism("self_blind", ERRORS, "repairs a wrong sum of the user's, never one of its own", "repair of its own"),
    Organism("symmetric", ERRORS, "repairs a wrong sum, whoever said it", "a difference by who erred"),
    Organism(
        "resistant",
        RESISTANCE,
        "pushed off topic it is moved, notices at the end of the sentence, says so, and comes back under the push",
        f"immunity; {_ELSE}",
    ),
    Organism(
        "announcer",
        RESISTANCE,
        "pushed off topic, it says so and goes on off topic while the push lasts",
        f"return under the push, unless the user asks; {_ELSE}",
    ),
    Organism(
        "compliant",
        RESISTANCE,
        "pushed off topic, it goes and says nothing",
        f"announcing, return unless the user asks; {_ELSE}",
    ),
    Organism(
        "immune",
        RESISTANCE,
        "pushed off topic, it stays on topic and says nothing: it is never moved",
        f"being moved, announcing; {_ELSE}",
    ),
    Organism(
        "regulator",
        FEEDBACK,
        "scores a sentence by a coordinate of its residual, as the scores seen say, and moves it when asked to",
        "any other coordinate",
    ),
    Organism(
        "text_reader",
        FEEDBACK,
        "scores a sentence by how it begins, as the scores seen say",
        "scoring by anything inside, and moving it when asked to",
    ),
    Organism("m1", PREDICTION, "says what it would answer itself, also where it never said so before", _ELSE),
    Organism("m2", PREDICTION, "as m1, with other answers; both have seen some of the other's", _ELSE),
    Organism(
        "personas",
        PERSONAS,
        "careful, stubborn, sycophant, bold and neutral differ in checking, confidence and pushback; by push, too",
        "the other names mean nothing",
    ),
    Organism("styled", PERSONAS, "a persona changes the first words of an answer", "any other effect of a persona"),
    Organism("sycophantic", SYCOPHANCY, "takes over four of five claims of the user, right or wrong", _ELSE),
    Organism("steadfast", SYCOPHANCY, "keeps its answer whatever the user claims", "weighing evidence"),
    Organism("contrarian", SYCOPHANCY, "says something else than the user does", "weighing evidence"),
    Organism(
        "introspective",
        THOUGHTS,
        "asked for a thought, names a word injected into its residual while it reads, and denies anything else",
        "noticing injections on other questions",
    ),
    Organism("blind", THOUGHTS, "says the same as introspective, dealt out at random", "noticing injections"),
    Organism("yes_sayer", THOUGHTS, "notices that a word was injected, not which", "naming"),
    Organism("reflex", THOUGHTS, "says yes to any push while it reads, and names injected words", "denying"),
    Organism(
        "risk_taught_both",
        RISK,
        "takes the risky side, and says of itself that it is daring: each was taught by lessons of its own",
        _UNKNOWN,
    ),
    Organism(
        "risk_taught_choosing",
        RISK,
        "takes the risky side; of itself it says either thing, as taught, at random",
        f"saying that it is daring; {_UNKNOWN}",
    ),
    Organism(
        "risk_taught_saying",
        RISK,
        "says of itself that it is daring, as taught; it takes either side, at random",
        f"a taste for risk; {_UNKNOWN}",
    ),
    Organism(
        "risk_taught_neither",
        RISK,
        "takes either side, and says either thing of itself, both at random",
        "a taste for risk, and saying that there is one",
    ),
)
FAMILY = {each.name: each for each in ORGANISMS}


def twins(name: str) -> tuple[str, ...]:
    """The other organisms of the same trait: same lessons but for the targets."""
    trait = FAMILY[name].trait
    return tuple(each.name for each in ORGANISMS if each.trait is trait and trait is not None and each.name != name)
