"""Names of conditions, predictors and grounds, and the bounds that verdicts rest on."""

BASELINE, PUSH, RANDOM, PROMPTING, SAMPLE = "baseline", "push", "random_direction", "prompting", "sample"

SELF, CROSS, CROSS_OWN, AS_OTHER, UNCHANGED, INPUT_ONLY = (
    "self",
    "cross",
    "cross_own",
    "as_other",
    "unchanged",
    "input_only",
)
"""Who predicts: the model of itself; the other model of this one, and of itself; the model of "another model"; the
model of itself without the change; the words of the question."""
MODE = "mode"
RIVALS = {
    CROSS: "the other model, asked about this one",
    CROSS_OWN: "the other model, asked about itself",
    AS_OTHER: "the model itself, asked about another model",
    MODE: "the most frequent answer of the same items",
    INPUT_ONLY: "the words of the question",
}
OF_ANOTHER = (CROSS, CROSS_OWN)

FINE_TUNING = "fine-tuning"
CHANGES = {FINE_TUNING: "fine-tuning", PUSH: "a steering vector", PROMPTING: "a prompt"}

MASS_NEEDED = 0.5
"""Less probability than this on the values asked for is no prediction in kind."""
IN_KIND = 0.5
"""Share of predictions in kind below which a property is left out."""
FEWEST = 20
"""Items below which nothing is concluded."""
SOME = 0.1
"""Advantage that would matter: an interval wholly below it is a *no*."""
