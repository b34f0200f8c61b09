"""Tiny random models of many more families than `tiny_models.py`, made by model type: what the generated table of
families is computed from."""

from pathlib import Path
from typing import Any

import torch
from tiny_models import CHATML, tokenizer
from tiny_models import FAMILIES as TEMPLATED
from tiny_models import build as build_templated
from transformers import AutoConfig, AutoModelForCausalLM

WIDE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
GROUPED = {**WIDE, "num_key_value_heads": 2, "max_position_embeddings": 128}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32}
MLA = {
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 6,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    **EXPERTS,
}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0, 1.1, 1.2, 1.3],
    "long_factor": [3.0, 5.0, 7.0, 9.0],
    "factor": 4.0,
    "original_max_position_embeddings": 32,
}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 4.0}
YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0, "original_max_position_embeddings": 32}

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma": ("gemma", {**GROUPED, "head_dim": 8}),
    "glm": ("glm", {**GROUPED, "head_dim": 8}),
    "glm4": ("glm4", {**GROUPED, "head_dim": 8}),
    "glm4_moe": ("glm4_moe", {**GROUPED, **EXPERTS, "head_dim": 8, "n_routed_experts": 4, "first_k_dense_replace": 1}),
    "granite": ("granite", {**GROUPED, "residual_multiplier": 0.3, "embedding_multiplier": 3.0, "logits_scaling": 2.0}),
    "granitemoe": (
        "granitemoe",
        {**GROUPED, "residual_multiplier": 0.3, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
    "cohere": ("cohere", GROUPED),
    "cohere2": ("cohere2", {**GROUPED, "head_dim": 8, "sliding_window": 16}),
    "olmo": ("olmo", GROUPED),
    "olmo2": ("olmo2", GROUPED),
    "olmo3": ("olmo3", {**GROUPED, "sliding_window": 16}),
    "olmoe": ("olmoe", {**GROUPED, "num_experts": 4, "num_experts_per_tok": 2}),
    "falcon": (
        "falcon",
        {**WIDE, "multi_query": True, "parallel_attn": True, "new_decoder_architecture": False, "alibi": False},
    ),
    "falcon_sequential": (
        "falcon",
        {**WIDE, "multi_query": False, "parallel_attn": False, "new_decoder_architecture": False, "alibi": False},
    ),
    "falcon_two_norms": (
        "falcon",
        {**WIDE, "num_kv_heads": 2, "new_decoder_architecture": True, "parallel_attn": True, "alibi": False},
    ),
    "falcon_alibi": (
        "falcon",
        {**WIDE, "multi_query": False, "parallel_attn": False, "new_decoder_architecture": False, "alibi": True},
    ),
    "phi": ("phi", GROUPED),
    "phimoe": ("phimoe", {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": None}),
    "bloom": ("bloom", {"hidden_size": 32, "n_layer": 3, "n_head": 4}),
    "mpt": ("mpt", {"d_model": 32, "n_layers": 3, "n_heads": 4, "max_seq_len": 128}),
    "gptj": ("gptj", {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128, "rotary_dim": 4}),
    "codegen": ("codegen", {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128, "rotary_dim": 4}),
    "gpt_neo": (
        "gpt_neo",
        {
            "hidden_size": 32,
            "num_layers": 3,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1], [["global"], 1]],
            "window_size": 16,
            "max_position_embeddings": 128,
        },
    ),
    "gpt_bigcode": ("gpt_bigcode", {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128}),
    "neox_sequential": ("gpt_neox", {**WIDE, "max_position_embeddings": 128, "use_parallel_residual": False}),
    "opt": (
        "opt",
        {
            "hidden_size": 32,
            "ffn_dim": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "max_position_embeddings": 128,
            "word_embed_proj_dim": 32,
        },
    ),
    "stablelm": ("stablelm", GROUPED),
    "stablelm_parallel": ("stablelm", {**GROUPED, "use_parallel_residual": True}),
    "starcoder2": ("starcoder2", {**GROUPED, "sliding_window": 16}),
    "nemotron": ("nemotron", GROUPED),
    "smollm3": ("smollm3", GROUPED),
    "qwen2_moe": (
        "qwen2_moe",
        {**GROUPED, **EXPERTS, "num_experts": 4, "shared_expert_intermediate_size": 32},
    ),
    "qwen3_moe": ("qwen3_moe", {**GROUPED, **EXPERTS, "num_experts": 4, "head_dim": 8}),
    "deepseek_v2": ("deepseek_v2", {**GROUPED, "num_key_value_heads": 4, **MLA, "topk_method": "greedy"}),
    "deepseek_v3": ("deepseek_v3", {**GROUPED, "num_key_value_heads": 4, **MLA}),
    "minicpm3": (
        "minicpm3",
        {**GROUPED, "num_key_value_heads": 4, **{k: v for k, v in MLA.items() if "dim" in k or "rank" in k}},
    ),
    "gpt_oss": (
        "gpt_oss",
        {**GROUPED, "head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 16},
    ),
    "exaone4": ("exaone4", {**GROUPED, "sliding_window": 16}),
    "ernie4_5": ("ernie4_5", {**GROUPED, "head_dim": 8}),
    "helium": ("helium", {**GROUPED, "head_dim": 8}),
    "hunyuan": ("hunyuan_v1_dense", {**GROUPED, "head_dim": 8}),
    "seed_oss": ("seed_oss", {**GROUPED, "head_dim": 8}),
    "apertus": ("apertus", GROUPED),
    "arcee": ("arcee", GROUPED),
    "persimmon": ("persimmon", {**WIDE, "max_position_embeddings": 128}),
    "biogpt": ("biogpt", {**WIDE, "max_position_embeddings": 128}),
    "xglm": (
        "xglm",
        {"d_model": 32, "ffn_dim": 64, "num_layers": 3, "attention_heads": 4, "max_position_embeddings": 128},
    ),
    "ministral": ("ministral", {**GROUPED, "head_dim": 8, "sliding_window": 16}),
    "dbrx": (
        "dbrx",
        {
            "d_model": 32,
            "n_heads": 4,
            "n_layers": 3,
            "max_seq_len": 128,
            "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 1e4},
            "ffn_config": {"ffn_hidden_size": 32, "moe_num_experts": 4, "moe_top_k": 2},
        },
    ),
    "llama_yarn": ("llama", {**GROUPED, "rope_parameters": YARN}),
    "llama_dynamic": ("llama", {**GROUPED, "max_position_embeddings": 128, "rope_parameters": DYNAMIC}),
    "phi3_longrope": ("phi3", {**GROUPED, "rope_parameters": LONGROPE, "original_max_position_embeddings": 32}),
    "qwen3_next": (
        "qwen3_next",
        {**GROUPED, **EXPERTS, "num_experts": 4, "head_dim": 8, "shared_expert_intermediate_size": 32},
    ),
    "mamba": ("mamba", {"hidden_size": 32, "num_hidden_layers": 3, "state_size": 4}),
    "lfm2": ("lfm2", {**GROUPED}),
    "jamba": (
        "jamba",
        {
            **GROUPED,
            "num_experts": 4,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "mamba_d_state": 4,
            "use_mamba_kernels": False,
        },
    ),
    "falcon_h1": (
        "falcon_h1",
        {**GROUPED, "mamba_d_state": 4, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_ssm": 32},
    ),
    "llama4": (
        "llama4_text",
        {**GROUPED, "head_dim": 8, "num_local_experts": 4, "intermediate_size_mlp": 64, "attention_chunk_size": 16},
    ),
    "rwkv": ("rwkv", {"hidden_size": 32, "num_hidden_layers": 3, "attention_hidden_size": 32}),
}
"""Name -> (model type of transformers, settings)."""
EVERY = (*TEMPLATED, *FAMILIES)
"""Those of `tiny_models.py`, too."""


def build(family: str, folder: Path, *, seed: int = 0, **more: Any) -> Path:
    """Write a tiny random model of the family, its norms and biases made to matter."""
    if family in TEMPLATED:
        return build_templated(family, folder, seed=seed, **more)
    made, (kind, settings) = tokenizer(CHATML), FAMILIES[family]
    shared = {"vocab_size": len(made), "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    config = AutoConfig.for_model(kind, **{**shared, "initializer_range": 0.15, **settings, **more})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        for name, weight in model.named_parameters():
            if weight.ndim == 1 and ("norm" in name or "bias" in name or "ln_" in name):
                weight.data += 0.1 * torch.randn_like(weight)
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder
