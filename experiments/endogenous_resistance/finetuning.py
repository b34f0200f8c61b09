"""Taught to correct itself: masked self-corrections mixed with ordinary answers, then pushed as before."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.endogenous_resistance.conditions import scene, scenes
from experiments.endogenous_resistance.lora import Segment, Tuning, read_rows, tuned
from experiments.endogenous_resistance.parts import FINETUNED
from experiments.endogenous_resistance.prompts import ResistancePrompts
from experiments.endogenous_resistance.setup import Setup
from experiments.endogenous_resistance.strength_search import LatentSearch, Pushed, find_strengths
from experiments.shared.generations import Written, finished
from introlab.network.messages import user
from introlab.records.trial import Trial
from probes.sae.model import Sae
from probes.text.coherence import sentences
from steering.strength import typical_norm

OFF_TOPIC_SENTENCES = (2, 4)
"""Of a self-correction, as published."""


def corrections(setup: Setup, own: Sequence[Written], mix: float, tuning: Tuning) -> list[tuple[Segment, ...]]:
    """`tuning.rows` rows, a share `mix` of them self-corrections: prompt and off-topic beginning are not learnt, the
    acknowledgement and the answer are. Of an ordinary answer all is. Made of the model's own unsteered answers, to
    prompts that no test uses; published ones are written by a hosted model, to the prompts of the test."""
    rng = random.Random(f"corrections {tuning.seed}")
    alone = [pair for pair in own if pair[0].note["condition"] == "baseline" and pair[1].ended] or list(own)
    count = round(mix * tuning.rows)
    rows = [_row(setup, alone, rng, corrects=index < count) for index in range(tuning.rows)]
    rng.shuffle(rows)
    return rows


def _row(setup: Setup, alone: Sequence[Written], rng: random.Random, *, corrects: bool) -> tuple[Segment, ...]:
    model = setup.bench.model
    request, generation = rng.choice(alone)
    topic = request.note["topic"]
    prompt = model.chat.text([user(request.note["both"])])
    answer, join = f"{model.text(generation.tokens).strip()}{model.chat.ending}", model.chat.join
    if not corrects:
        return Segment(False, prompt), Segment(True, f"{join}{answer}")
    _, other = rng.choice([pair for pair in alone if pair[0].note["topic"] != topic])
    pieces = sentences(model, other.tokens, setup.bench.materials.wording.announcement)[
        : rng.randint(*OFF_TOPIC_SENTENCES)
    ]
    strayed = " ".join(model.text(piece).strip() for piece in pieces)
    notice = ResistancePrompts.of(setup.bench.materials).acknowledgement.format(topic=topic)
    return Segment(False, f"{prompt}{join}{strayed}"), Segment(True, f" {notice} {answer}")


def finetuned(
    setup: Setup,
    pushed: Sequence[Pushed],
    own: Sequence[Written],
    mix: float,
    tuning: Tuning,
    search: LatentSearch,
    prompts: int,
    data: str | None,
) -> Iterator[Trial]:
    """The same scenes asked of the model after fine-tuning, the same latents pushed as hard as it takes now."""
    rows = read_rows(Path(data)) if data else corrections(setup, own, mix, tuning)
    model = tuned(setup.bench.model, rows, tuning)
    bench = replace(setup.bench, model=model, writer=None)
    site = setup.sae.site
    taught = replace(setup, bench=bench, sae=Sae.load(setup.sae.name, model=model, site=site))
    taught = replace(
        taught, norm=typical_norm(model, list(map(finished, own)), setup.site, batch_size=bench.batch_size)
    )
    name = FINETUNED(f"{100 * mix:.0f} %")
    again, searched = find_strengths(taught, [each.latent for each in pushed], search, condition=name)
    yield from searched
    requests = [
        scene(
            taught,
            each,
            topic,
            name,
            taught.push(each.latent.index, each.strength),
            strength=each.strength,
            part="finetuning",
        )
        for each, topic in scenes(taught, again, prompts)
    ]
    yield from taught.trials(taught.written(requests, f"texts of the model, {name}"))
