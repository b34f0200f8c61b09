"""Names of the mechanism's controls."""

from experiments.shared.condition_families import ConditionFamily

HEAD = ConditionFamily("head", " ")
"""Parts of the network that are single heads; others are whole halves of blocks."""

CONTROLS = ("shuffled_labels", "ablation")
