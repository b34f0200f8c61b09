"""The parts of the published protocol."""

from typing import Literal

from experiments.shared.condition_families import ConditionFamily

Part = Literal[
    "steered",
    "sweep",
    "detectors",
    "finetuning",
    "meta_prompts",
    "episode",
    "judges",
    "no_steering",
    "alignment",
    "random_ablation",
]
"""The ten experiments, in the order of the publication."""
SWEEP = ConditionFamily("sweep", " ")
META_PROMPT = ConditionFamily("meta-prompt", ": ")
ABLATION = ConditionFamily("ablation", ": ")
FINETUNED = ConditionFamily("finetuned", " ")
RANDOM_ABLATION = "random_ablation"


def sweep_level(condition: str) -> float | None:
    """How many standard deviations from the mean strength a condition of the sweep is; None of any other."""
    member = SWEEP.member(condition)
    return None if member is None else float(member.removesuffix(" sd"))
