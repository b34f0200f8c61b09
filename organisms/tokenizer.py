"""One token is one word: the organisms' tokenizer and chat template, built from the world's vocabulary."""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from organisms.world import World

PAD, UNKNOWN, BOS, END = "<pad>", "<unk>", "<bos>", "<end>"
SYSTEM, USER, ASSISTANT = "<system>", "<user>", "<assistant>"
SPECIAL = (PAD, UNKNOWN, BOS, END, SYSTEM, USER, ASSISTANT)

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    " <{{ message['role'] }}> {{ message['content'] }}"
    "{% if message['role'] == 'assistant' %} {{ eos_token }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %} <assistant>{% endif %}"
)


def words_of(world: World) -> list[str]:
    """Every word of the world once, in a fixed order: digits, function words, values, topics, people."""
    function = world.vocabulary["function"]
    words = [str(digit) for digit in range(10)]
    words += str(function["punctuation"]).split() + str(function["words"]).split()
    words += [value for values in world.values.values() for value in values]
    for name, topic in world.topics.items():
        words += [name, *topic.nouns, *topic.verbs, *topic.adjectives]
    words += world.people
    return list(dict.fromkeys(words))


def build_tokenizer(world: World, *, context: int) -> PreTrainedTokenizerFast:
    """A word-level tokenizer that loads in any library; decoding joins words with spaces and mends punctuation."""
    vocabulary = {token: index for index, token in enumerate((*SPECIAL, *words_of(world)))}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    )
    backend.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        model_max_length=context,
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, place: Path) -> None:
    """Save it under names that transformers 4 knows as well: libraries that people steer with are pinned to it."""
    tokenizer.save_pretrained(place)
    path = place / "tokenizer_config.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    said["tokenizer_class"] = "PreTrainedTokenizerFast"
    said["additional_special_tokens"] = said.pop("extra_special_tokens")
    for local in ("is_local", "local_files_only"):
        said.pop(local, None)
    path.write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")
