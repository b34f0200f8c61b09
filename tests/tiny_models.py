"""Tiny random models of real families, as local folders with a tokenizer and their own kind of chat template."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

WORDS = (
    [f"w{index}" for index in range(80)]
    + list("0123456789")
    + [".", "?", "wait", "red", "blue", "system", "user", "assistant", "System", "User", "Assistant", ":"]
)

CHATML = (
    "{% for m in messages %}<s>{{ m['role'] }} {{ m['content'] }} </s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant {% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}{{ m['role'] }} : {{ m['content'] }} </s>{% endfor %}"
    "{% if add_generation_prompt %}assistant : {% endif %}"
)
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}{{ m['content'] }} </s>"
    "{% else %}[ {{ m['role'] }} ] {{ m['content'] }} {% endif %}{% endfor %}"
    "{% if add_generation_prompt %}[ assistant ] {% endif %}"
)
TEMPLATES: dict[str, str | None] = {
    "llama": CHATML,
    "qwen2": CHATML,
    "qwen3": CHATML,
    "gemma2": GEMMA,
    "gemma3": GEMMA,
    "mistral": INST,
    "mixtral": INST,
    "phi3": CHATML,
    "gpt2": None,
    "neox": None,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
FAMILIES = tuple(TEMPLATES)


SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]
BYTES = ("qwen2",)
"""Families whose tokenizer class takes bytes only."""


def tokenizer(template: str | None, *, of_bytes: bool = False) -> PreTrainedTokenizerFast:
    """One token a word; or byte pairs, several tokens a word."""
    if of_bytes:
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet)
        backend.train_from_iterator([" ".join(WORDS)], trainer)
    else:
        vocabulary = {word: index for index, word in enumerate([*SPECIAL, *WORDS])}
        backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
        parts = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
        backend.pre_tokenizer = pre_tokenizers.Sequence(parts)
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    made.chat_template = template
    return made


def build(family: str, folder: Path, *, seed: int = 0, context: int = 128) -> Path:
    """Write a tiny random model of the family; a few seconds' worth of nothing, but with every part in place."""
    made = tokenizer(TEMPLATES[family], of_bytes=family in BYTES)
    size = len(made)
    # Larger weights than usual: what a block adds must matter, or no test would miss it.
    shared = {"vocab_size": size, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0, "initializer_range": 0.15}
    wide = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": context,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        grouped = {**shared, **wide, "num_key_value_heads": 2}
        model = {
            "llama": lambda: LlamaForCausalLM(LlamaConfig(**grouped, rope_parameters=LLAMA3)),
            "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**grouped)),
            "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**grouped, head_dim=8)),
            "gemma2": lambda: Gemma2ForCausalLM(
                Gemma2Config(**grouped, head_dim=8, sliding_window=16, query_pre_attn_scalar=8)
            ),
            "gemma3": lambda: Gemma3ForCausalLM(
                Gemma3TextConfig(**grouped, head_dim=8, sliding_window=16, sliding_window_pattern=3)
            ),
            "mistral": lambda: MistralForCausalLM(MistralConfig(**grouped, sliding_window=16)),
            "mixtral": lambda: MixtralForCausalLM(
                MixtralConfig(**grouped, num_local_experts=4, num_experts_per_tok=2, sliding_window=None)
            ),
            "phi3": lambda: Phi3ForCausalLM(Phi3Config(**grouped)),
            "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**shared, n_embd=32, n_layer=3, n_head=4, n_positions=context)),
            "neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**shared, **wide)),
        }[family]()
        for name, weight in model.named_parameters():
            if weight.ndim == 1 and "norm" in name:  # norms start at 1 or 0: make them matter
                weight.data += 0.1 * torch.randn_like(weight)
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder
