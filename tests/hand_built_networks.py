"""A network whose weights are written by hand: it says that there is a thought where any earlier position holds one.

Its first block does nothing. In the second, attention is uniform over all positions, and its values are two coordinates
of the residual: *concept*, which concept words have, and *asked*, which the words of questions about thoughts have. The
feed-forward part multiplies the two, and their product is what promotes *yes*. So a yes is read off keys and values of
past tokens alone, on these questions alone.
"""

import shutil
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from introlab.network.model import Model, load

WIDTH = 32
BIAS, CONCEPT, ASKED, SEEN, ASKS, PRODUCT = range(6)
ABOUT_THOUGHTS = ("thought", "notice", "mind")
STEEP, CLOSED, SMALL = 10.0, 2.0, 0.1
"""Of the gate: by what is asked, against the bias; and the size of what it lets through."""


def build(folder: Path, organism: Model, concepts: list[str], *, sees: bool = True) -> Model:
    """With the tokenizer of an organism; without `sees` attention brings nothing, and all else is the same."""
    vocabulary = organism.tokenizer.get_vocab()
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH,
        intermediate_size=4,
        num_hidden_layers=2,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=WIDTH,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        bos_token_id=organism.network.config.bos_token_id,
        eos_token_id=organism.network.config.eos_token_id,
    )
    network = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.fill_(1.0 if "norm" in name else 0.0)
        words = network.model.embed_tokens.weight
        words.normal_(0, 0.05, generator=torch.Generator().manual_seed(0))
        words[:, BIAS] = 1.0
        words[:, CONCEPT : PRODUCT + 1] = 0.0
        words[[vocabulary[word] for word in concepts], CONCEPT] = 1.0
        words[[vocabulary[word] for word in ABOUT_THOUGHTS], ASKED] = 1.0
        block = network.model.layers[1]
        block.self_attn.v_proj.weight[0, CONCEPT] = float(sees)
        block.self_attn.v_proj.weight[1, ASKED] = 1.0
        block.self_attn.o_proj.weight[SEEN, 0] = 1.0
        block.self_attn.o_proj.weight[ASKS, 1] = 1.0
        block.mlp.gate_proj.weight[0, ASKS] = STEEP
        block.mlp.gate_proj.weight[0, BIAS] = -CLOSED
        block.mlp.up_proj.weight[0, SEEN] = 1.0
        block.mlp.down_proj.weight[PRODUCT, 0] = SMALL
        yes, no = vocabulary["yes"], vocabulary["no"]
        network.lm_head.weight[[yes, no], BIAS] = torch.tensor([3.0, 4.0])
        network.lm_head.weight[yes, PRODUCT] = 5.0
    network.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(organism.folder / name, folder / name)
    return load(str(folder), device="cpu")
