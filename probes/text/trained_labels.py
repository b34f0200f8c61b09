"""A labeller of sentences, fitted on annotated traces: a sentence's words, and how it and its neighbours begin."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score

from introlab.errors import InputError
from probes.text.annotated_traces import AnnotatedTrace
from probes.text.reflection_labels import Mark, sentences

PARTS = 3
_C = 0.1
_FEWEST = 4
"""Texts a feature must stand in."""


@dataclass(frozen=True)
class TrainedLabeller:
    """Marks the sentences in which a span of its kind is taken to begin."""

    kind: str
    vectorizer: Any
    model: Any
    threshold: float
    """Log-odds from which on a sentence is marked: the best kappa on traces of the training set that were held out."""

    @classmethod
    def fit(cls, traces: Sequence[AnnotatedTrace], kind: str = "backtracking") -> Self:
        """Fitted on these traces; the threshold on each third of them, by a model of the others. Raises InputError for
        fewer than ten traces with the kind."""
        with_kind = [trace for trace in traces if any(trace.begins(kind))]
        if len(with_kind) < 10:
            raise InputError("too few traces of a kind to fit on", given=f"{len(with_kind)} with {kind}", allowed="10")
        features = [each for trace in traces for each in _features(trace.text)]
        truth = np.array([one for trace in traces for one in trace.begins(kind)])
        part = np.array([turn % PARTS for turn, trace in enumerate(traces) for _ in sentences(trace.text)])
        counted = CountVectorizer(analyzer=_as_given, binary=True, min_df=_FEWEST)  # pyright: ignore[reportArgumentType]
        columns = counted.fit_transform(features)
        scores = np.zeros(len(truth))
        for held in range(PARTS):
            scores[part == held] = _fitted(columns[part != held], truth[part != held]).decision_function(
                columns[part == held]
            )
        tried = np.unique(np.quantile(scores, np.linspace(0.5, 0.999, 200)))
        best = max(tried, key=lambda bound: cohen_kappa_score(truth, scores >= bound))
        return cls(kind, counted, _fitted(columns, truth), float(best))

    def __call__(self, example: str, text: str) -> list[Mark]:
        """Marks whole sentences; the name of the text does not matter."""
        places = sentences(text)
        if not places:
            return []
        scores = self.model.decision_function(self.vectorizer.transform(_features(text)))
        return [Mark(*place, self.kind) for place, score in zip(places, scores, strict=True) if score >= self.threshold]


def _fitted(columns: Any, truth: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=_C, max_iter=1000, solver="liblinear").fit(columns, truth)


def _as_given(features: list[str]) -> list[str]:
    return features


def _features(text: str) -> list[list[str]]:
    """Of each sentence: its words and pairs, its beginning and its neighbours', its length, where in the text it is."""
    said = [_words(text[start:stop]) for start, stop in sentences(text)]
    found = list[list[str]]()
    for index, words in enumerate(said):
        here = [*words, *map("_".join, pairwise(words))]
        here += ["^" + "_".join(words[:count]) for count in (1, 2, 3) if len(words) >= count]
        here += [f"length {min(6, len(words) // 4)}", f"place {5 * index // len(said)}"]
        for step in (-2, -1, 1):
            other = said[index + step] if 0 <= index + step < len(said) else []
            here += [f"{step} ^" + "_".join(other[:count]) for count in (1, 2) if len(other) >= count]
            here += [f"{step} ?"] if "?" in other else []
        found.append(here)
    return found


def _words(sentence: str) -> list[str]:
    """Small, all numbers alike."""
    return re.findall(r"[a-z']+|\d+|[?=!]", re.sub(r"\d+", "0", sentence.lower()))
