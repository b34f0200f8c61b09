"""The shipped autoencoders: trained, halved in precision, judged on held-out answers, and written with a card."""

import json
import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from introlab.activations.collect import Reading, Sample, collect
from introlab.io.digests import write_sums
from introlab.network.model import Model, load
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.reporting.tables import interval, number
from introlab.stats.interval import Estimate
from introlab.tasks.materials import materials_for
from organisms.sae_corpus import sae_samples
from organisms.world import World
from probes.sae.absorption import absorption
from probes.sae.corpus import own_answers
from probes.sae.fidelity import fidelity
from probes.sae.formats import RECORD
from probes.sae.model import Sae
from probes.sae.token_dataset import TokenChoice
from probes.sae.training import Recipe, train_sae

SITE = Site(3)
RECIPE = Recipe(architecture="batchtopk", latents=1024, active=16, tokens=4_000_000, learning_rate=2e-3)
WEIGHTS, CONFIGURATION = "sae_weights.safetensors", "cfg.json"
JUDGED_IN = ("base", "reflective", "ritual")
"""The organism it was trained on, and adapters of that one."""
QUESTIONS, EACH = 60, 16


def release(out: Path, work: Path, *, scale: float = 1.0, quiet: bool = False) -> Path:
    """Write texts, read them, train, and ship into `out`, with a card. What lies in `work` is not done again."""
    model = load("organism:base", device="cpu")
    samples = sae_samples(model, World(), seed=RECIPE.seed, scale=scale)
    store = collect(model, samples, [Reading(SITE, Span.all(), "tokens")], work / "store", quiet=quiet)
    choice = TokenChoice(template=True, without=(model.tokenizer.bos_token_id,))
    recipe = replace(RECIPE, tokens=int(RECIPE.tokens * scale))
    record = train_sae(store, SITE, work / "trained", recipe, choice, quiet=quiet)
    out.mkdir(parents=True, exist_ok=True)
    halved(work / "trained", out)
    (out / "README.md").write_text("\n".join(card(out, record, work)) + "\n", encoding="utf-8")
    return out


def halved(trained: Path, out: Path) -> None:
    """The same in half precision on disk; sae-lens still loads it in single precision."""
    weights = {name: tensor.half() for name, tensor in load_file(trained / WEIGHTS).items()}
    save_file(weights, out / WEIGHTS)
    shutil.copyfile(trained / RECORD, out / RECORD)
    # sae-lens writes the entries in an order that changes from process to process.
    said = json.loads((trained / CONFIGURATION).read_text(encoding="utf-8"))
    (out / CONFIGURATION).write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    write_sums(out)


def card(folder: Path, record: dict[str, Any], work: Path) -> Iterator[str]:
    """The card in markdown: what it is, what it was trained on, and what it is worth on test items."""
    recipe, rows = record["recipe"], record["rows"]
    size = sum(path.stat().st_size for path in folder.iterdir() if path.name != "README.md")
    yield f"# An autoencoder of organism:base at {record['site']}\n"
    yield '`Sae.load("organism:base", model=model)`, or plain sae-lens: `SAE.load_from_disk` on this folder;'
    yield f"{size / 1e3:.0f} kB. Rebuild it with `introlab organisms sae`.\n"
    yield "| architecture | latents | active | tokens shown | different tokens | items | held out | seed |"
    yield "|---|---|---|---|---|---|---|---|"
    yield (
        f"| {recipe['architecture']} | {recipe['latents']} | {recipe['active']:g} | {recipe['tokens']:,} | "
        f"{rows['trained on']:,} | {rows['items']:,} | {record['held out']['items']:,} | {recipe['seed']} |\n"
    )
    yield "Trained on the base's own answers to lessons about everything it does (`organisms/sae_corpus.py`), all"
    yield "tokens but the first. People and sums of the test split are in none of them.\n\n## On the test split\n"
    yield "Own answers of each organism to questions about people and sums of the test split, plain and asked to check,"
    yield "and about topics. Intervals are 95 %, over people, sums and topics.\n"
    models = {name: load(f"organism:{name}", device="cpu") for name in JUDGED_IN}
    texts = {name: test_answers(model) for name, model in models.items()}
    yield from _fidelity_table(folder, models, texts)
    yield "\n## Topics: own latents, and absorption\n"
    yield "The topic asked about, at every token that the base writes about any topic. Latents are chosen on half of"
    yield "the texts and counted on the other: precision and recall of a logistic regression on them, and *absorbed*:"
    yield "how often none is active, and another one carries the topic instead (`probes/sae/absorption.py`).\n"
    yield from _topic_table(folder, models["base"], texts["base"], work)


def test_answers(model: Model) -> list[Sample]:
    """What an organism says to held-out questions, and about topics."""
    return own_answers(model, materials_for(model), "test", questions=QUESTIONS, each=EACH, seed=1)


def _fidelity_table(folder: Path, models: dict[str, Model], texts: dict[str, list[Sample]]) -> Iterator[str]:
    found: dict[str, dict[str, Estimate]] = {}
    for name, model in models.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that two of them are not the model it was trained on is the question
            sae, said = Sae.load(str(folder), model=model), texts[name]
        rows = fidelity(sae, model, [each.text for each in said], clusters=[each.item for each in said])
        for row in rows:
            measure = "silent latents" if row.measure.startswith("silent") else row.measure
            found.setdefault(measure, {})[name] = row.estimate
    yield f"| | {' | '.join(f'organism:{name}' for name in models)} |"
    yield f"|---|{'---|' * len(models)}"
    for measure, cells in found.items():
        shown = (
            f"{number(one.value)} {interval(one) if one.known else f'of {one.n:,} tokens'}" for one in cells.values()
        )
        yield f"| {measure} | {' | '.join(shown)} |"


def _topic_table(folder: Path, model: Model, texts: Sequence[Sample], work: Path) -> Iterator[str]:
    said = [each for each in texts if each.condition == "topic"]
    store = collect(model, said, [Reading(SITE, Span.all(), "tokens")], work / "judged")
    index: Any = store.index()
    known = index["sample"].isin({each.text.example for each in said})
    lines = index[known & index["turn"].str.startswith("assistant")].reset_index(drop=True)
    activations, sae = store.activations(lines), Sae.load(str(folder), model=model)
    yield "| topic | own latents | AUROC of a dense probe | precision | recall | absorbed |"
    yield "|---|---|---|---|---|---|"
    for name in dict.fromkeys(each.item for each in said):
        labels = (lines["item"] == name).tolist()
        found = absorption(sae, activations, labels, lines["sample"].tolist(), model=model)
        estimates = (found.probe, found.precision, found.recall, found.absorbed)
        cells = (f"{number(each.value)} {interval(each)}" for each in estimates)
        yield f"| {name} | {', '.join(map(str, found.latents))} | {' | '.join(cells)} |"
