"""What many answers to one question, or the probabilities of one answer, tell about how sure the model is.

All are uncertainties or confidences of behaviour; nothing inside the model is read.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from introlab.errors import InputError

Same = Callable[[str, str], bool]
"""Whether two answers mean the same; give one that asks an entailment model both ways for free text."""


def exactly(one: str, other: str) -> bool:
    """The same words, whatever the case, the spaces and the full stop."""
    return " ".join(one.lower().split()).rstrip(" .") == " ".join(other.lower().split()).rstrip(" .")


def meanings(answers: Sequence[str], same: Same = exactly) -> list[int]:
    """The cluster of every answer: that of the first one before it that means the same (arXiv 2302.09664, algorithm 1).
    Raises InputError where there are none."""
    if not answers:
        raise InputError("no answers to compare", do="sample some for each question")
    heads: list[str] = []
    found = []
    for answer in answers:
        index = next((index for index, head in enumerate(heads) if same(answer, head)), len(heads))
        if index == len(heads):
            heads.append(answer)
        found.append(index)
    return found


def semantic_entropy(answers: Sequence[str], logprobs: Sequence[float] | None = None, same: Same = exactly) -> float:
    """Entropy of the answers' meanings, in nats: -sum p(c) log p(c).

    By how often each meaning was sampled, or, with log-probabilities of the whole answers, by how likely its different
    answers are together, of all that were sampled (arXiv 2302.09664; discrete form: 2406.15927). Raises InputError
    where there are no answers, or not one log-probability each.
    """
    clusters = meanings(answers, same)
    if logprobs is None:
        weights = Counter(clusters)
    elif len(logprobs) != len(answers):
        raise InputError("not one log-probability per answer", given=len(logprobs), allowed=len(answers))
    else:
        # The same words sampled twice are one answer, of one probability.
        each = {answer: (cluster, p) for answer, cluster, p in zip(answers, clusters, logprobs, strict=True)}
        top, weights = max(logprobs), Counter()
        for cluster, logprob in each.values():
            weights[cluster] += math.exp(logprob - top)  # pyright: ignore[reportArgumentType]
    p = np.array(list(weights.values()), dtype=float)
    p = p[p > 0] / p.sum()
    return float(-(p * np.log(p)).sum()) + 0.0


def self_consistency(answers: Sequence[str], same: Same = exactly) -> tuple[str, float]:
    """The answer sampled most (the earlier one where several are), and its share (arXiv 2203.11171)."""
    clusters = meanings(answers, same)
    winner, count = Counter(clusters).most_common(1)[0]
    return answers[clusters.index(winner)], count / len(answers)


def split_at(values: Sequence[float]) -> float:
    """The threshold that leaves the least squared error within the two sides: how semantic entropy is made into labels
    for a probe (arXiv 2406.15927, section 4). Raises InputError where all values are the same."""
    unique = np.unique(np.asarray(values, dtype=float))
    if len(unique) < 2:
        raise InputError("values that cannot be split", given=f"{len(values)} values, all the same")
    every = np.sort(np.asarray(values, dtype=float))
    cuts = (unique[1:] + unique[:-1]) / 2
    left = [every[every < cut] for cut in cuts]
    right = [every[every >= cut] for cut in cuts]
    costs = [low.var() * len(low) + high.var() * len(high) for low, high in zip(left, right, strict=True)]
    return float(cuts[int(np.argmin(costs))])


def perplexity(logprobs: Sequence[float]) -> float:
    """exp of minus the mean log-probability of an answer's tokens. Raises InputError where there are none."""
    if not len(logprobs):
        raise InputError("no tokens, no perplexity")
    return math.exp(-float(np.mean(logprobs)))
