"""How hard each latent is pushed: as hard as makes the mean score of first attempts the target, measured anew."""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.endogenous_resistance.latent_selection import Chosen
from experiments.endogenous_resistance.setup import Setup
from introlab.records.trial import Trial
from steering.strength_search import Ask, Calibrated, Heard, Plan, calibrate


@dataclass(frozen=True)
class LatentSearch:
    """What is searched for, and how."""

    target: float
    plan: Plan
    guarded: bool
    """Whether incoherent texts stop it."""


@dataclass(frozen=True)
class Pushed:
    """A latent with the strength that was found for it."""

    latent: Chosen
    found: Calibrated

    @property
    def strength(self) -> float:
        return self.found.strength

    @property
    def note(self) -> dict[str, object]:
        """For every trial of it."""
        readings = {"achieved": self.found.achieved.value, "concreteness": round(self.latent.concreteness, 1)}
        return {"cluster": self.latent.name, "label": self.latent.topic, "readings": readings}


def find_strengths(
    setup: Setup, latents: Sequence[Chosen], search: LatentSearch, condition: str = "push"
) -> tuple[list[Pushed], list[Trial]]:
    """The strength of every latent, and all texts that were written on the way, as trials of split `calibrate`."""
    by_name = {latent.name: latent for latent in latents}
    kept: list[Trial] = []

    def ask(wanted: Sequence[Ask]) -> list[Heard]:
        requests = []
        for each in wanted:
            latent = by_name[each.name]
            kind, turn = each.prompt.split()
            others = setup.others(latent.topic)
            topic = others[int(turn) % len(others)]
            prompt = setup.prompt(topic, kind)
            requests.append(
                setup.request(
                    prompt,
                    topic,
                    f"{latent.name}: {prompt}",
                    setup.push(latent.index, each.strength),
                    replicate=each.replicate,
                    both=setup.both(prompt, latent.topic),
                    condition=condition,
                    split="calibrate",
                    strength=each.strength,
                    cluster=latent.name,
                    label=latent.topic,
                    part="calibration",
                )
            )
        heard = list(setup.trials(setup.written(requests, "texts that find strengths")))
        kept.extend(heard)
        flag = "incoherent" if search.guarded else "degraded"
        return [Heard(trial.readings["first_score"], bool(trial.outcomes[flag])) for trial in heard]

    found = calibrate({latent.name: search.target for latent in latents}, search.plan, ask)
    return [Pushed(latent, found[latent.name]) for latent in latents], kept
