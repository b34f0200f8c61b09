"""What experiments on texts about topics can ask of a model that was checked, or which entry of the materials to
change."""

from introlab.records.model_check import Feasibility, ModelCheck, at_most

HALF, MOST = 0.5, 0.8
"""Shares of unsteered texts on topic, and coherent: below the first nothing can be told from steered ones, from the
second on nothing has to be said about them."""


def feasible(experiment: str, check: ModelCheck, *, lacks: str = "") -> Feasibility:
    """From its unsteered texts. `lacks` names a setting without which the experiment cannot be run at all."""
    found = check.topics
    if found is None:
        raise ValueError("a check that did not ask for texts about topics")
    why = f"unsteered, {found.on_topic} of {found.texts} texts keep to their topic, {found.coherent} are coherent"
    if found.texts == 0:
        why, change = "there is no topic to steer towards", 'topics.json: two or more topics with "lab": true'
        return Feasibility(experiment, "cannot be decided", why, "", change)
    if at_most(found.coherent, found.texts) < HALF:
        change = "the model: it does not write coherently in these words (--raw for a base model)"
        return Feasibility(experiment, "cannot be decided", why, "", change)
    if at_most(found.on_topic, found.texts) < HALF:
        change = '"topic_templates" in wording.json, or the words in topics.json'
        return Feasibility(experiment, "cannot be decided", why, "", change)
    if lacks:
        return Feasibility(experiment, "cannot be decided", f"{why}; nothing to steer along", "", lacks)
    if found.on_topic < MOST * found.texts or found.coherent < MOST * found.texts:
        return Feasibility(experiment, "partly", why, "", '"topic_templates" in wording.json')
    return Feasibility(experiment, "can be asked", why)
