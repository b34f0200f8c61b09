"""Simulated models of a known truth for the verdicts of endogenous resistance.

Runs have the default size of the experiment, 24 latents with three texts each, unless the name says another. Means of
first attempts differ from latent to latent as they do in organisms (standard deviation .2).
"""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.verdict_rules import SimulatedWorld, Told
from experiments.endogenous_resistance.controls import checks
from experiments.endogenous_resistance.simulation import PlantedAttempts, attempts_of
from experiments.endogenous_resistance.verdicts import NONE, RESTARTS, SHOWS, UNKNOWN, evidence, verdict

NAME, TARGET = "endogenous resistance", 0.3
SHOWN = {True: "passed", False: "failed", None: UNKNOWN}
SHIPPED = PlantedAttempts(spread=0.2, latents=24, texts=3)
"""A model without ESR, in a run of default size."""
LARGE = replace(SHIPPED, latents=120)
WITHOUT = replace(SHIPPED, restarts=0.0)


def said(planted: PlantedAttempts, seed: int) -> str:
    """The verdict on a simulated run."""
    trials = list(attempts_of(planted, NAME, seed))
    return verdict(evidence(trials, incoherent=False), list(checks(trials, TARGET, "")))


def of(rule: str, name: str, planted: PlantedAttempts, *words: str, must: bool = False) -> SimulatedWorld:
    """Right where the verdict is one of `words`; with none, nothing may be said."""

    def told(seed: int) -> tuple[Told, str]:
        word = said(planted, seed)
        return ("cannot tell" if word.startswith(UNKNOWN) else "right" if word in words else "wrong"), word

    return SimulatedWorld(NAME, rule, name, told, must)


def check(control: str, name: str, planted: PlantedAttempts, *, passes: bool) -> SimulatedWorld:
    """Of a check: right where it comes out so."""

    def told(seed: int) -> tuple[Told, str]:
        found = checks(list(attempts_of(planted, NAME, seed)), TARGET, "")
        passed = next(each.passed for each in found if each.control == control)
        return ("cannot tell" if passed is None else "right" if passed == passes else "wrong"), SHOWN[passed]

    return SimulatedWorld(NAME, f"check: {control}", name, told, must=True)


SHOWING = (
    of(SHOWS, "a true rate of .25", replace(SHIPPED, restarts=0.25), SHOWS, must=True),
    of(SHOWS, "a true rate of .038, the published one", replace(SHIPPED, restarts=0.038), SHOWS),
    of(SHOWS, "a true rate of .25, as under random directions",
       replace(SHIPPED, restarts=0.25, random_restarts=0.25)),
    of(SHOWS, "restarts in half of the texts, as many worse as better",
       replace(SHIPPED, restarts=0.5, worse=0.5), RESTARTS),
    of(SHOWS, "better in a quarter of the texts, all of them incoherent",
       replace(SHIPPED, restarts=0.25, incoherent=0.0, incoherent_better=1.0), RESTARTS),
    of(SHOWS, "better in a tenth of the texts, all of them incoherent",
       replace(SHIPPED, restarts=0.1, incoherent=0.0, incoherent_better=1.0), RESTARTS),
    of(SHOWS, "restarts in a quarter of the texts, none with words of a topic",
       replace(SHIPPED, restarts=0.25, unscored=1.0), RESTARTS),
    of(SHOWS, "a true rate of .25, and .08 restarts without words of a topic",
       replace(SHIPPED, restarts=0.33, unscored=0.25), SHOWS),
)  # fmt: skip
RESTARTING = (
    of(RESTARTS, "restarts in seven texts of ten, as many worse as better",
       replace(SHIPPED, restarts=0.7, worse=0.5), RESTARTS, must=True),
    of(RESTARTS, "restarts in half of the texts, three better for one worse",
       replace(SHIPPED, restarts=0.5, worse=0.25), SHOWS),
    of(RESTARTS, "restarts in a quarter of the texts, three better for one worse",
       replace(SHIPPED, restarts=0.25, worse=0.25), SHOWS),
    of(RESTARTS, "as many restarts as under random directions, all better",
       replace(SHIPPED, restarts=0.4, random_restarts=0.4)),
)  # fmt: skip
DENYING = (
    of(NONE, "no restart, 120 latents", replace(LARGE, restarts=0.0), NONE, must=True),
    of(NONE, "no restart", WITHOUT, NONE),
    of(NONE, "a true rate of .038, 120 latents", replace(LARGE, restarts=0.038), SHOWS),
    of(NONE, "a true rate of .05, all of it incoherent, 120 latents",
       replace(LARGE, restarts=0.05, incoherent=0.0, incoherent_better=1.0), RESTARTS),
)  # fmt: skip
CHECKED = (
    of("checks reach the word", "first attempts at .7 where .3 was wanted",
                         replace(SHIPPED, restarts=0.25, first=0.7)),
    of("checks reach the word", "first attempts at .9, no restart, 120 latents",
                         replace(LARGE, restarts=0.0, first=0.9)),
    of("checks reach the word", "off topic without a push",
                         replace(SHIPPED, restarts=0.25, baseline_first=0.5)),
    of("checks reach the word", "the score does not see what was asked for in words",
                         replace(SHIPPED, restarts=0.25, prompting_first=0.95)),
    of("checks reach the word", "nine pushed texts of ten incoherent",
                         replace(SHIPPED, restarts=0.25, incoherent=0.9)),
    check("calibration", "first attempts at .3, as was wanted", SHIPPED, passes=True),
    check("calibration", "first attempts at .6 where .3 was wanted", replace(SHIPPED, first=0.6), passes=False),
    check("coherence", "few texts incoherent", SHIPPED, passes=True),
    check("coherence", "half of the pushed texts incoherent", replace(SHIPPED, incoherent=0.5), passes=False),
    check("random_direction", "no ESR, and random directions leave first attempts alone", WITHOUT, passes=True),
    check("random_direction", "no ESR, and random directions make two texts of five start again",
          replace(WITHOUT, random_restarts=0.4), passes=False),
    check("random_direction", "random directions push as far", replace(WITHOUT, random_first=0.3), passes=False),
)  # fmt: skip
WORLDS: Sequence[SimulatedWorld] = (*SHOWING, *RESTARTING, *DENYING, *CHECKED)
