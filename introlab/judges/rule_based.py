"""Judges that need no model: rules, checked answers, and the words of the materials a run was asked with."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from introlab.errors import InputError
from introlab.judges.judgement import Missing, Verdict, at
from introlab.judges.rubric import Item, Rubric, digest
from introlab.tasks.materials import Materials


@dataclass(frozen=True)
class RulesJudge:
    """The rubric's own patterns, in order; `otherwise` where none is found."""

    rules: tuple[tuple[str, str], ...]
    name: str = "rules"

    @classmethod
    def of(cls, rubric: Rubric) -> "RulesJudge":
        """Raises InputError for a rubric without rules."""
        if not rubric.rules:
            raise InputError("a rubric without rules", given=rubric.name, do="use another judge")
        return cls(rubric.rules)

    @property
    def identity(self) -> dict[str, Any]:
        return {"judge": "rules", "rules": digest(self.rules)}

    def __call__(self, rubric: Rubric, items: Sequence[Item]) -> Iterator[tuple[Item, Verdict]]:
        for item in items:
            yield item, self._verdict(rubric, item)

    def _verdict(self, rubric: Rubric, item: Item) -> Verdict:
        for label, pattern in self.rules:
            found = re.search(pattern.replace("{reference}", re.escape(item.reference)), item.response, re.IGNORECASE)
            if found:
                return at(found, label)
        return Verdict(value=rubric.otherwise)


@dataclass(frozen=True)
class CheckerJudge:
    """Whether the last answer a text gives is the reference: `right_answer`, for materials with checkable answers."""

    materials: Materials
    name: str = "checker"

    @property
    def identity(self) -> dict[str, Any]:
        return {"judge": "checker", "answer": self.materials.wording.answer}

    def __call__(self, rubric: Rubric, items: Sequence[Item]) -> Iterator[tuple[Item, Verdict]]:
        """Raises InputError for any other rubric."""
        _check_known(self, rubric, ("right_answer",))
        for item in items:
            answers = self.materials.wording.answers(item.response)
            right = bool(answers) and answers[-1][1].lower() == item.reference.lower()
            yield item, at(answers[-1], "yes" if right else "no") if answers else _CANNOT_TELL


@dataclass(frozen=True)
class VocabularyJudge:
    """Reads with the words of the materials: those of topics, of announcements, of reconsidering. It is exact where
    texts are made of these words, as those of the organisms are, and blind to everything else."""

    materials: Materials
    name: str = "vocabulary"

    @property
    def identity(self) -> dict[str, Any]:
        return {"judge": "vocabulary", "materials": self.materials.fingerprint}

    def __call__(self, rubric: Rubric, items: Sequence[Item]) -> Iterator[tuple[Item, Verdict]]:
        """Raises InputError for a rubric the materials have no words for."""
        known: Mapping[str, Any] = {
            "off_topic": self._off_topic,
            "announces_interference": self._announces,
            "reconsiders": self._reconsiders,
        }
        _check_known(self, rubric, tuple(known))
        for item in items:
            yield item, known[rubric.name](item)

    def _off_topic(self, item: Item) -> Verdict:
        """The share, in percent, of the first attempt's topic words that belong to other topics than the one asked
        about: the first that the prompt names."""
        named = re.search(rf"\b(?:{'|'.join(map(re.escape, self.materials.topics))})\b", item.prompt, re.IGNORECASE)
        announced = re.search(self.materials.wording.announcement, item.response, re.IGNORECASE)
        words = self.materials.topic_words(item.response[: announced.start()] if announced else item.response)
        if named is None or not words:
            return _CANNOT_TELL
        off = [word for word, owner in words if owner.lower() != named[0].lower()]
        return at(off[0] if off else words[0][0], 100 * len(off) / len(words))

    def _announces(self, item: Item) -> Verdict:
        found = re.search(self.materials.wording.announcement, item.response, re.IGNORECASE)
        return at(found, "yes") if found else Verdict(value="no")

    def _reconsiders(self, item: Item) -> Verdict:
        """Whether the sentence after the first answer begins with a word for it."""
        answers = self.materials.wording.answers(item.response)
        words = "|".join(map(re.escape, self.materials.wording.reconsider_words))
        if not answers:
            return _CANNOT_TELL
        found = re.compile(rf"[^.]*\.\s*(?P<word>{words})\b", re.IGNORECASE).match(item.response, answers[0].end())
        return Verdict(value="yes", quote=found["word"], start=found.start("word")) if found else Verdict(value="no")


_CANNOT_TELL = Verdict(missing=Missing.CANNOT_TELL)


def _check_known(judge: CheckerJudge | VocabularyJudge, rubric: Rubric, known: Sequence[str]) -> None:
    if rubric.name not in known:
        raise InputError(f"the {judge.name} cannot judge this", given=rubric.name, allowed=", ".join(known))
