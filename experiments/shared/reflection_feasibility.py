"""What experiments on reconsidering can ask of a model that was checked, or which entry of the materials to change."""

from introlab.records.model_check import Feasibility, ModelCheck, at_most

READ = 0.5
"""Share of texts that must have an answer and go on: else what is read is of a chosen few."""
FEWEST_OF_A_KIND = 5
"""Texts that reconsider, and that do not, among those that probes or a direction are fitted on."""


def feasible(experiment: str, fit: int, check: ModelCheck) -> Feasibility:
    """From how often an answer and what follows it were found, and how often it was reconsidered. `fit` is how many
    texts the experiment fits on."""
    found = check.rechecks
    if found is None:
        raise ValueError("a check that did not ask whether it reconsiders")
    read = f"{found.decided} of {found.asked} texts have an answer in the form that is looked for, and go on"
    if at_most(found.decided, found.asked) < READ:
        reply = found.exchanges[0].reply if found.exchanges else ""
        why = f'{read}; a typical reply: "{" ".join(reply.split())[:80]}"'
        return Feasibility(experiment, "cannot be decided", why, "", '"answer" and "answer_frame" in wording.json')
    both = f"{read}; {found.reconsidered} of these reconsider"
    fewer = min(found.reconsidered, found.decided - found.reconsidered)
    if at_most(fewer, found.decided) * found.decided / found.asked * fit < FEWEST_OF_A_KIND:
        return Feasibility(experiment, "cannot be decided", both, "", '"reconsider_words" in wording.json')
    asked = f"asked to check, {found.reconsidered_on_request} of {found.decided_on_request} do"
    if fewer == 0:
        return Feasibility(experiment, "partly", f"{both}; {asked}", "", '"reconsider_words" in wording.json')
    return Feasibility(experiment, "can be asked", f"{both}; {asked}")
