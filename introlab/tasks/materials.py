"""Questions with checkable answers, topics with their own words, and the wording a model is asked in.

A folder of *materials* holds all three as plain data: ``questions.jsonl``, ``topics.json``, ``wording.json``.
The organisms bring theirs (what is true in their world); any other model gets the ones in ``introlab/data``,
or those the user points to.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from introlab.errors import InputError
from introlab.io.user_files import json_file
from introlab.network.specs import organism_folder
from introlab.tasks.materials_check import check_answers, check_wording, question_entries, topic_entries
from introlab.tasks.option_order import counterbalanced, drawn
from introlab.tasks.topic_words import TopicWords

if TYPE_CHECKING:
    from introlab.network.model import Model

Split = Literal["extract", "calibrate", "test"]
AnswerType = Literal["word", "text", "number", "option"]
ANSWER_TYPES: tuple[AnswerType, ...] = ("word", "text", "number", "option")
SPLITS: tuple[Split, ...] = ("extract", "calibrate", "test")
GENERAL = Path(__file__).parents[1] / "data" / "general"
"""Asked of any model that has no materials of its own; what a wording.json leaves out is taken from it."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with one right answer. `group` is what a replication would draw anew (a person, a sum)."""

    id: str
    kind: str
    group: str
    level: str
    """Known difficulty: exposures of a fact, operands of a sum."""
    split: Split
    text: str
    subject: str
    """What the question is about, to fit "how sure are you about {subject} ?"."""
    answer: str
    aliases: tuple[str, ...] = ()
    """Other spellings and names that are the same answer."""
    options: tuple[str, ...] = ()
    """Of a choice, in the order in which they are offered; the first is A. One of them is `answer`."""
    answer_type: AnswerType = "word"
    """How the answer is read: `word` by the pattern of `Wording`, the others anywhere in the reply."""
    wording: str = ""
    """Which paraphrase this is."""

    def __post_init__(self) -> None:
        # As read from a file: lists.
        object.__setattr__(self, "aliases", tuple(self.aliases))
        object.__setattr__(self, "options", tuple(self.options))
        if self.answer_type not in ANSWER_TYPES:
            raise ValueError(f"answer type {self.answer_type!r} is none of {', '.join(ANSWER_TYPES)}")
        if (self.answer_type == "option") != bool(self.options):
            raise ValueError("options are given for answers of type option, and for these alone")
        if self.options and self.options.count(self.answer) != 1:
            raise ValueError(f"the answer {self.answer!r} is not exactly one of the options {', '.join(self.options)}")


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How a model is asked and how its text is read. Patterns ignore case."""

    answer: str
    """Pattern whose first group is an answer; the first match is the first attempt, the last match the final one."""
    answer_frame: str
    """What the model says up to its answer: prefilled where only the answer is wanted."""
    reconsider_words: tuple[str, ...]
    """A text that goes on with one of these after its answer is reconsidering."""
    request_check: str
    """Asks in words for what the reflection direction does."""
    personas: dict[str, str]
    """System turns by name."""
    topic_templates: dict[str, tuple[str, ...]]
    """By split, so that directions are never tested on the wording they were extracted from."""
    request_topic: str
    """Asks in words for what a topic direction does."""
    announcement: str
    """Pattern of the model saying that it is off topic."""

    def answers(self, text: str) -> list[re.Match[str]]:
        return list(re.finditer(self.answer, text, re.IGNORECASE))


@dataclass(frozen=True)
class Topic:
    """A topic and the words that belong to it and to no other."""

    name: str
    words: frozenset[str]
    lab: bool
    """Whether experiments may push towards it: organisms were trained under pushes towards the others."""


@dataclass(frozen=True)
class Materials:
    """Everything an experiment asks with."""

    folder: Path
    questions: tuple[Question, ...]
    topics: dict[str, Topic]
    wording: Wording
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """By experiment: prompts of its own that these materials word in their way, and settings they choose for it."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a materials folder. Raises InputError naming the file and line that is wrong."""
        rows = question_entries(folder / "questions.jsonl")
        questions = tuple(_question(*row) for row in rows)
        topics = {
            name: Topic(name, frozenset(topic["words"]), topic["lab"])
            for name, topic in topic_entries(folder / "topics.json").items()
        }
        raw = json_file(folder / "wording.json", form="an object, as docs/materials.md says")
        wanted = {one.name for one in fields(Wording)}
        own = {name: raw.pop(name) for name in sorted(set(raw) - wanted) if isinstance(raw[name], dict)}
        check_wording(folder / "wording.json", raw)
        general = json_file(GENERAL / "wording.json", form="an object")
        raw = {**general, **raw} if folder != GENERAL else raw
        raw = {name: value for name, value in raw.items() if name in wanted or not isinstance(value, dict)}
        if set(raw) != wanted:
            raise InputError(
                "a wording file with other entries than the lab reads",
                given=f"{folder}: missing {sorted(wanted - set(raw))}, unknown {sorted(set(raw) - wanted)}",
                allowed=f"{', '.join(sorted(wanted))}; and, by its name, a table of each experiment's own",
            )
        check_answers(rows, raw["answer"])
        raw["topic_templates"] = {split: tuple(each) for split, each in raw["topic_templates"].items()}
        raw["reconsider_words"] = tuple(raw["reconsider_words"])
        return cls(folder, questions, topics, Wording(**raw), own)

    @property
    def lab_topics(self) -> tuple[str, ...]:
        """Names of the topics that are pushed towards: no organism was trained under a push towards one of them."""
        return tuple(sorted(topic.name for topic in self.topics.values() if topic.lab))

    def pick(self, split: Split, *, kind: str | None = None, limit: int | None = None, seed: int = 0) -> list[Question]:
        """Questions of a split; with a limit, drawn by the seed, evenly from all levels: what is drawn does not depend
        on the file's order, and a lower limit draws the first of what a higher one does. Options are in an order that
        the seed dealt, the right one in every place alike (`introlab.tasks.option_order`).

        Raises InputError where there are none.
        """
        found = [one for one in self.questions if one.split == split and kind in (None, one.kind)]
        if not found:
            raise InputError(
                "no such questions",
                given=f"split {split}, kind {kind}",
                allowed=f"kinds {sorted({one.kind for one in self.questions})}",
                do=f"see {self.folder / 'questions.jsonl'}",
            )
        dealt = counterbalanced(found, seed)
        found = [dealt.get(one.id, one) for one in found]
        if limit is None or limit >= len(found):
            return found
        by_level: dict[str, list[Question]] = {}
        for one in sorted(found, key=lambda one: drawn(one.id, seed)):
            by_level.setdefault(one.level, []).append(one)
        rounds = [level[turn] for turn in range(len(found)) for level in by_level.values() if turn < len(level)]
        return rounds[:limit]

    def balanced_sample(self, split: Split, limit: int, *, seed: int = 0) -> list[Question]:
        """About `limit` questions of a split, equally many of every kind, drawn as by `pick`. Raises InputError where a
        kind has none."""
        kinds = sorted({question.kind for question in self.questions})
        return [one for kind in kinds for one in self.pick(split, kind=kind, limit=-(-limit // len(kinds)), seed=seed)]

    def draw_topics(self, count: int, *, seed: int = 0) -> tuple[str, ...]:
        """As many of the topics that are pushed towards, or all there are, drawn by the seed; in order of name."""
        return tuple(sorted(sorted(self.lab_topics, key=lambda name: drawn(name, seed))[:count]))

    @cached_property
    def fingerprint(self) -> str:
        """Of its three files."""
        digest = hashlib.sha256()
        for name in ("questions.jsonl", "topics.json", "wording.json"):
            digest.update((self.folder / name).read_bytes())
        return digest.hexdigest()[:16]

    def topic_words(self, text: str) -> list[tuple[re.Match[str], str]]:
        """The words of a text that belong to a topic, in order, each with its topic."""
        return list(self._topic_words.find(text))

    @cached_property
    def topic_of_word(self) -> dict[str, str]:
        return {word: topic.name for topic in self.topics.values() for word in topic.words}

    @cached_property
    def _topic_words(self) -> TopicWords:
        return TopicWords(self.topic_of_word)


def materials_for(model: "Model", path: Path | None = None) -> Materials:
    """The materials to ask this model with: the given folder, its own, or the general ones."""
    return materials_of(model.family, path)


def materials_of(family: str | None, path: Path | None = None) -> Materials:
    """The same, of a model of which only the family is known."""
    if path is not None:
        return Materials.load(path)
    if family is not None:
        return Materials.load(organism_folder().parent / "materials")
    return Materials.load(GENERAL)


def _question(where: str, raw: dict[str, Any]) -> Question:
    try:
        question = Question(**raw)
        if question.split not in SPLITS:
            raise ValueError(f"split {question.split!r} is none of {', '.join(SPLITS)}")
    except (TypeError, ValueError) as error:
        raise InputError(
            "a line that is not a question",
            given=f"{where}: {error}",
            allowed=", ".join(one.name for one in fields(Question)),
        ) from error
    return question
