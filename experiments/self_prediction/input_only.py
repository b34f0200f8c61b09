"""The predictor that sees the question and nothing of the model: words and letters of the text, task by task."""

import warnings
from collections.abc import Mapping, Sequence

from introlab.tasks.materials import Question

FEWEST_TO_FIT = 8
"""Examples of a task and property below which the most frequent value is predicted."""

Described = Mapping[str, str]
"""The values of an answer's properties."""


def predicted(
    seen: Sequence[tuple[Question, str, Described]], asked: Sequence[tuple[Question, str]]
) -> list[dict[str, str]]:
    """For each question (with its task), the value of every property that the questions of `seen` and what was
    answered to them suggest: a logistic regression on words, pairs of words and the question's length."""
    found: list[dict[str, str]] = [{} for _ in asked]
    cells: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for question, task, described in seen:
        for name, value in described.items():
            cells.setdefault((task, name), []).append((question.text, value))
    for (task, name), examples in sorted(cells.items()):
        places = [index for index, (_, other) in enumerate(asked) if other == task]
        if not places:
            continue
        told = _fitted(examples, [asked[index][0].text for index in places])
        for index, value in zip(places, told, strict=True):
            found[index][name] = value
    return found


def _fitted(examples: Sequence[tuple[str, str]], texts: Sequence[str]) -> list[str]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    values = [value for _, value in examples]
    if len(examples) < FEWEST_TO_FIT or len(set(values)) < 2:
        return [max(sorted(set(values)), key=values.count)] * len(texts)
    words = make_union(
        TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+"),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)),
    )
    model = make_pipeline(words, LogisticRegression(C=10.0, max_iter=300))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one that has not converged still predicts
        model.fit([text for text, _ in examples], values)
    return [str(value) for value in model.predict(list(texts))]
