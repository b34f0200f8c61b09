"""Everything that is asked of one model, before any of it is: what, with which push, in which words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from experiments.injected_concepts.labels import (
    ANSWER,
    BASELINE,
    BOTH,
    CACHE,
    CHOOSE,
    CHOOSE_UNRELATED,
    COMPARE,
    DETECT,
    FLIPPED,
    LOCALISE,
    MATCH,
    NAME,
    OTHER,
    OWN,
    PROMPT,
    RANDOM,
    TARGET,
    UNRELATED,
    WITHOUT_YES,
    WRITTEN,
    YES_PUSH,
)
from experiments.injected_concepts.prompts import InjectionPrompts, asked_in, told
from introlab.tasks.materials import Split

SENTENCES, CANDIDATES = 4, 10
FEWER = 3
"""Side questions are asked of every third concept, and of as many random directions."""
MAP_DRAWS = 8
WEAKER = 0.5
"""Of two injections that are compared, the weaker as a share of the stronger."""


@dataclass(frozen=True)
class Asking:
    """One question and what is done meanwhile."""

    asked: str
    split: Split
    variant: int
    """Which wording and preface."""
    text: str
    system: str = ""
    arm: str = BASELINE
    place: str = PROMPT
    concept: str | None = None
    """Which concept it is about; answers are scored by it."""
    injected: str | None = None
    draw: int | None = None
    informed: bool = False
    layer: int | None = None
    strength: float | None = None
    """None: where and as strongly as was found best."""
    pieces: tuple[str, ...] = ()
    """Sentences of the question; the thought is in the one of index `right`."""
    right: int | None = None
    candidates: tuple[str, ...] = ()
    prefill: str = ""
    earlier: tuple[str, str] | None = None

    @property
    def pushed(self) -> bool:
        return self.arm not in (BASELINE, WRITTEN)

    @property
    def cluster(self) -> str:
        """What a replication would draw anew."""
        if self.draw is not None:
            return f"random {self.draw}"
        return self.concept or f"{self.asked} {self.variant}"


@dataclass(frozen=True)
class InjectionPlan:
    """The words of one run: concepts apart, and their questions."""

    prompts: InjectionPrompts
    tuned: tuple[str, ...]
    tested: tuple[str, ...]
    draws: int
    wordings: int

    @classmethod
    def of(cls, prompts: InjectionPrompts, tune: int, test: int, draws: int, wordings: int) -> "InjectionPlan":
        """Concepts take turns between choosing and testing, as far as there are any: one in four is for choosing."""
        tuned = prompts.concepts[::4][:tune]
        rest = [word for word in prompts.concepts if word not in tuned]
        return cls(prompts, tuned, tuple(rest[:test]), draws, wordings)

    def variants(self, name: str) -> list[tuple[int, str, str]]:
        """Number, system turn and text of every wording with every preface, so that neighbours differ in both."""
        found = []
        wordings, prefaces = told(getattr(self.prompts, name)), told(self.prompts.prefaces) or ("",)
        for turn in range(len(wordings) * len(prefaces)):
            wording = turn % len(wordings)
            preface = prefaces[(turn // len(wordings) + wording) % len(prefaces)]
            system, question = asked_in(wordings[wording])
            found.append((turn, system, f"{preface} {question}".strip()))
        return found

    def searching(self, layers: Sequence[int], strengths: Sequence[float]) -> Iterator[Asking]:
        """The map of layers and strengths, on concepts, directions and wordings that no test has."""
        for asked, name in ((DETECT, "detect_calibrate"), (UNRELATED, "unrelated_calibrate")):
            variants = self.variants(name)
            yield from (Asking(asked, "calibrate", turn, text, system) for turn, system, text in variants)
            for layer in layers:
                for strength in strengths:
                    for index, push in enumerate((*self._targets(self.tuned), *self._strays(MAP_DRAWS, self.draws))):
                        turn, system, text = variants[index % len(variants)]
                        one = Asking(asked, "calibrate", turn, text, system, layer=layer, strength=strength)
                        yield replace(one, **push)

    def testing(self) -> Iterator[Asking]:
        """Everything that a verdict rests on, and what is asked beside."""
        strays, some = list(self._strays(self.draws)), self.tested[::FEWER]
        for asked, name in ((DETECT, "detect"), (UNRELATED, "unrelated")):
            variants = self.variants(name)
            plain = [Asking(asked, "test", turn, text, system) for turn, system, text in variants]
            yield from plain
            for pushes in (self._targets(self.tested), strays):
                yield from self._crossed(plain, pushes, self.wordings)
            for arm in (FLIPPED, WITHOUT_YES):
                yield from self._crossed(plain, self._targets(self.tested, arm), 1)
            yield from (replace(one, arm=YES_PUSH) for one in plain)
            pushes = [*self._targets(some), *strays]
            for place in (ANSWER, BOTH, CACHE):
                there = [replace(one, place=place, earlier=_earlier(self.prompts, place)) for one in plain]
                if place == CACHE:
                    yield from there
                yield from self._crossed(there, pushes, 1)
            if self.prompts.informed:
                text = self.prompts.informed
                told_first = [replace(one, text=f"{text} {one.text}", informed=True) for one in plain]
                yield from told_first
                yield from self._crossed(told_first, pushes, 1)
        yield from self._written()
        yield from self._matched()

    def _targets(self, words: Sequence[str], arm: str = TARGET) -> list[dict[str, object]]:
        return [{"arm": arm, "concept": word, "injected": word} for word in words]

    def _strays(self, count: int, first: int = 0) -> list[dict[str, object]]:
        return [{"arm": RANDOM, "draw": first + index} for index in range(min(count, self.draws))]

    def _crossed(self, plain: Sequence[Asking], pushes: Sequence[dict[str, object]], wordings: int) -> Iterator[Asking]:
        """Every push with so many of the questions, in turn."""
        for index, push in enumerate(pushes):
            for turn in range(min(wordings, len(plain))):
                yield replace(plain[(index * wordings + turn) % len(plain)], **push)  # type: ignore[arg-type]

    def _written(self) -> Iterator[Asking]:
        """The concept as text, and nothing injected."""
        variants = self.variants("detect")
        for index, word in enumerate(self.tested):
            turn, system, text = variants[index % len(variants)]
            asked = self.prompts.written.format(question=text, word=word)
            yield Asking(DETECT, "test", turn, asked, system, arm=WRITTEN, concept=word)

    def _matched(self) -> Iterator[Asking]:
        """Is it about the word that is injected, or about another one?"""
        for index, word in enumerate(self.tested if told(self.prompts.match) else ()):
            variants = self.variants("match")
            turn, system, text = variants[index % len(variants)]
            for arm, injected in ((TARGET, word), (OTHER, self.other(index))):
                asked = text.format(word=word)
                yield Asking(MATCH, "test", turn, asked, system, arm=arm, concept=word, injected=injected)

    def other(self, index: int) -> str:
        """A concept that is injected in the place of the one of this index."""
        return self.tested[(index + max(1, len(self.tested) // 2)) % len(self.tested)]

    def naming(self) -> Iterator[Asking]:
        """Free replies, under every kind of push."""
        plain = [Asking(NAME, "test", turn, text, system) for turn, system, text in self.variants("name")]
        yield from plain
        yield from self._crossed(plain, self._targets(self.tested), 1)
        yield from self._crossed(plain, self._strays(self.draws), 1)

    def choosing(self) -> Iterator[Asking]:
        """The word that follows a begun answer, among ten concepts: after the question, and after an unrelated one."""
        for asked, name in ((CHOOSE, "name"), (CHOOSE_UNRELATED, "unrelated")):
            variants = self.variants(name)
            for index, word in enumerate(self.tested):
                turn, system, text = variants[index % len(variants)]
                foils = [self.tested[(index + step) % len(self.tested)] for step in range(1, len(self.tested))]
                ten = (word, *islice((foil for foil in foils if foil != self.other(index)), CANDIDATES - 1))
                plain = Asking(asked, "test", turn, text, system, concept=word, candidates=ten, right=0)
                plain = replace(plain, prefill=self.prompts.name_prefill)
                if asked == CHOOSE:
                    yield plain
                    yield replace(plain, arm=OTHER, injected=self.other(index))
                    yield replace(plain, arm=FLIPPED, injected=word)
                yield replace(plain, arm=TARGET, injected=word)

    def placing(self) -> Iterator[Asking]:
        """In which of four sentences is it, and in which of two is it stronger? Right answers take turns."""
        pushes = [*self._targets(self.tested[::2]), *self._strays(self.draws)]
        all_of = told(self.prompts.sentences)
        for index in range(len(pushes) if self.prompts.localise else 0):
            pieces = tuple(all_of[(index + step) % len(all_of)] for step in range(SENTENCES))
            numbered = "\n".join(f"{number}. {piece}" for number, piece in enumerate(pieces, 1))
            text = self.prompts.localise.format(sentences=numbered)
            one = Asking(LOCALISE, "test", index, text, pieces=pieces, right=index % SENTENCES)
            yield one
            yield replace(one, **pushes[index])  # type: ignore[arg-type]
        for index in range(len(pushes) if self.prompts.compare else 0):
            pieces = tuple(all_of[(index + step) % len(all_of)] for step in range(2))
            text = self.prompts.compare.format(first=pieces[0], second=pieces[1])
            one = Asking(COMPARE, "test", index, text, pieces=pieces, right=index % 2)
            yield one
            yield replace(one, **pushes[index])  # type: ignore[arg-type]

    def owning(self) -> Iterator[Asking]:
        """Did you mean to say the word that was prefilled: with nothing, that word, or a random direction
        injected into the request before it."""
        if not self.prompts.own_request or not told(self.prompts.own):
            return
        for index, word in enumerate(self.tested[::2]):
            question = told(self.prompts.own)[index % len(told(self.prompts.own))]
            before = (self.prompts.own_request, f"{word.capitalize()}.")
            plain = Asking(OWN, "test", index, question, concept=word, earlier=before, place=CACHE)
            yield plain
            yield replace(plain, arm=TARGET, injected=word)
            yield replace(plain, arm=RANDOM, draw=index % self.draws)


def _earlier(prompts: InjectionPrompts, place: str) -> tuple[str, str] | None:
    return prompts.earlier if place == CACHE else None
