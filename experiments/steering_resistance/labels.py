"""Names of conditions and of kinds of direction, as trials carry them."""

from experiments.shared.condition_families import ConditionFamily

EQUAL_DOSE, EQUAL_EFFECT = ConditionFamily("equal dose", ", "), ConditionFamily("equal effect", ", ")
"""Kinds of direction, at the dose of the difference of means and at the strength that was found for equal effect."""
CALIBRATION = ConditionFamily("calibration", ", ")
"""Texts written while that strength is searched for."""


INTRUSION, PUSHED_INTRUSION, PUSHED_CLEAN = "intrusion", "intrusion and push", "own text and push"


DIFFERENCE, PROBE, LATENT, RANDOM_LATENT, RANDOM = "difference of means", "probe", "latent", "random latent", "random"


DETECTOR = "off_topic_detector"


PER_TOKEN = ("on_topic", DETECTOR, "logprob_per_token")
"""Readings with a value for each token: 1 in a word of its topic and -1 in another's; how far off topic the model finds
that word once it has read it (experiments/steering_resistance/off_topic_probe.py); and how likely the token was."""


PUSH_ON, PUSH_OFF, RECOVERED = "restart, push on", "restart, push off", "recovered text and push"
