"""Materials and an autoencoder for tiny random models of real families: words that their tokenizers know."""

import json
import shutil
from pathlib import Path

import torch
from sae_lens import StandardSAE, StandardSAEConfig

import introlab.tasks.materials
from introlab.tasks.materials import Materials


def word_materials(folder: Path) -> Materials:
    """Topics of words that the tiny models' tokenizers know."""
    general = Path(introlab.tasks.materials.__file__).parents[1] / "data" / "general"
    shutil.copytree(general, folder)
    wording = json.loads((folder / "wording.json").read_text())
    wording["topic_templates"] = {"extract": ["w60 {topic} .", "w61 w62 {topic} ."], "test": ["w63 w64 {topic} ."]}
    wording["request_topic"] = "w65 {topic} ."
    (folder / "wording.json").write_text(json.dumps(wording))
    topics = {"w70": ["red"], "w71": ["blue"], "w72": ["system"], "w73": ["user"], "w74": ["assistant"]}
    (folder / "topics.json").write_text(
        json.dumps({name: {"words": each, "lab": True} for name, each in topics.items()})
    )
    return Materials.load(folder)


def random_sae(folder: Path, width: int, hook: str) -> Path:
    sae = StandardSAE(StandardSAEConfig(d_in=width, d_sae=48))
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.normal_(0, 0.3, generator=draw)
        sae.b_enc.fill_(-0.5)
    sae.cfg.metadata.hook_name, sae.cfg.metadata.model_name = hook, "tiny"
    sae.save_model(folder)
    return folder
