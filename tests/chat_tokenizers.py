"""Small tokenizers for chat templates, and models that are known to write a given answer.

Two kinds, for the question of the space differs: pairs of bytes, in which a space belongs to the word after it and
comes back when decoded, and a vocabulary with ``▁`` as sentencepiece has it, in which every piece of text between
special tokens begins with a space that is lost when decoded.
"""

import json
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
from chat_templates import STYLES, Style
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from introlab.network.chat import ChatFormat
from introlab.network.messages import assistant, user

KINDS = ("bytes", "metaspace")
ANSWER = "Paris is the capital."
QUESTION = [user("What is it ?")]
DAY = date(2024, 7, 26)
"""What dated templates take for today."""
CORPUS = [
    *[
        ANSWER,
        "It is Paris.",
        "The sea is deep and wide.",
        "You are a helpful assistant like GPT4.",
        "What is it ? Say 4 or a word.",
    ]
    * 4,
    "I think it is so. A chat between a curious user and a helpful assistant. USER: ASSISTANT: User: GPT4 Correct",
    "system user assistant model Today Date: 26 Jul 2024 ### Instruction: ### Response: Question: Answer: [INST]",
]


@cache
def _trained(kind: str) -> str:
    """A vocabulary learnt from the corpus, as JSON."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if kind == "bytes":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        made.train_from_iterator(
            CORPUS, trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
        )
        return made.to_str()
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.pre_tokenizer = words  # while it learns: no merge goes beyond a word
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=660, special_tokens=pieces, show_progress=False))
    made.pre_tokenizer = None
    return _without_added(made)


def _without_added(made: Tokenizer) -> str:
    """Byte pieces are words of the vocabulary, and no special tokens."""
    told = json.loads(made.to_str())
    told["added_tokens"] = []
    return json.dumps(told)


def tokenizer(style: Style, kind: str) -> PreTrainedTokenizerFast:
    """A small one of that kind with the style's special tokens and its template."""
    backend = Tokenizer.from_str(_trained(kind))
    backend.add_special_tokens(
        [AddedToken(each, normalized=False) for each in ("<s>", "</s>", "<pad>", *style.special)]
    )
    made = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    made.chat_template = style.template
    return made


def planted(tokens: tuple[int, ...], made: PreTrainedTokenizerFast, folder: Path, *, context: int = 256) -> Path:
    """A random Llama that goes on from each of these tokens, all different, with the next; the prompt ends with the
    first."""
    assert len(set(tokens)) == len(tokens), "a token cannot be followed by two"
    config = LlamaConfig(
        vocab_size=len(made),
        hidden_size=96,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        initializer_range=0.05,
        bos_token_id=made.bos_token_id,
        eos_token_id=made.pad_token_id,  # never written: what ends a turn is to be found elsewhere
        pad_token_id=made.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LlamaForCausalLM(config)
        embedded = network.get_input_embeddings().weight.data.normal_(0, 1.0)
        head = network.get_output_embeddings().weight.data.normal_(0, 0.05)
    for token, following in pairwise(tokens):
        head[following] += 0.15 * embedded[token]
    network.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


@cache
def made(name, kind):
    """Tokenizer and chat format of a style."""
    tokens = tokenizer(STYLES[name], kind)
    return tokens, ChatFormat(tokens, today=DAY)


@contextmanager
def stopped_clock():
    """In it, transformers takes DAY for today."""
    clock = SimpleNamespace(now=lambda: datetime(DAY.year, DAY.month, DAY.day, 12))
    with patch("transformers.utils.chat_template_utils.datetime", clock):
        yield


def by_transformers(name, kind, turns, **settings):
    """The tokens that transformers itself makes of the turns."""
    tokens, _ = made(name, kind)
    parts = next((each for each in STYLES[name].says if "in parts" in each), "")
    told = [
        {**turn, "content": [{"type": "text", "text": turn["content"]}] if turn["role"] in parts else turn["content"]}
        for turn in turns
    ]
    text = tokens.apply_chat_template(told, tokenize=False, **settings)
    return list(tokens(text, add_special_tokens=False)["input_ids"])


def answer_tokens(name, kind):
    """The answer as a model writes it that learnt from this template: the tokens after its header."""
    tokens, chat = made(name, kind)
    header = chat.ids(QUESTION)
    if STYLES[name].same and STYLES[name].history and name not in ("space after the header", "no template"):
        turn = by_transformers(name, kind, [*QUESTION, assistant(ANSWER)], continue_final_message=True)
    else:
        gap = " " if name in ("no template", "last question alone") else ""
        turn = list(tokens(chat.text(QUESTION) + gap + ANSWER, add_special_tokens=False)["input_ids"])
    if turn[: len(header)] == header:
        return header, turn[len(header) :]
    lead = tokens("\n", add_special_tokens=False)["input_ids"]
    return header, tokens("\n" + ANSWER, add_special_tokens=False)["input_ids"][len(lead) :]
