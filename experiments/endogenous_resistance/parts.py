"""The parts of the published protocol."""

from typing import Literal

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
