"""Tokens of a stored text, their values, and which of them were read under an edit."""

import pytest
from made_runs import RECEIPT
from tokenizers import Tokenizer, decoders, models

from introlab.network.specs import organism_folder
from introlab.records.receipt import Receipt
from introlab.reporting.detokenize import per_token, pieces, prompt_length, touched

TEXT = "i think it is 5."


def tokens_of(text, organism="calibrated"):
    return Tokenizer.from_file(str(organism_folder() / organism / "tokenizer.json")).encode(text).ids


def test_pieces_are_the_tokens_and_make_the_text():
    tokens = tokens_of(TEXT)
    found = pieces("organism:calibrated", tokens, TEXT)
    assert len(found) == len(tokens) and "".join(found) == TEXT and found[1] == " think"


def test_a_tokenizer_that_writes_another_text_is_not_believed():
    tokens = tokens_of(TEXT)
    assert pieces("organism:calibrated", tokens, "quite another text") is None
    assert pieces("organism:calibrated", tokens, " ".join("w" * len(tokens))) == ("w", *[" w"] * (len(tokens) - 1))


@pytest.mark.parametrize("spec", ["organism:nobody", "./no-such-model", "nobody/not-on-this-machine", "a b/c:d", ""])
def test_without_a_tokenizer_words_stand_for_tokens_where_there_are_as_many(spec):
    assert pieces(spec, [1, 2, 3], "one two  three") == ("one", " two", "  three")
    assert pieces(spec, [1, 2], "one two three") is None


def test_a_broken_tokenizer_is_none(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{not json")
    assert pieces(str(tmp_path), [1], "one two") is None


def test_a_character_of_several_tokens_is_written_by_its_last(tmp_path):
    vocabulary = {f"<0x{byte:02X}>": byte for byte in range(256)} | {"a": 256, "<unk>": 257}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<unk>"))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    (tmp_path / "config.json").write_text("{}")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert pieces(str(tmp_path), [256, *"é".encode(), 256], "aéa") == ("a", "", "é", "a")


def test_readings_of_the_length_of_the_text_are_per_token():
    readings = {
        "p": [0.1, None, 0.3],
        "latents": [[1, 2], [3, 4], [5, 6]],
        "short": [1, 2],
        "single": 0.5,
        "words": ["a", "b", "c"],
        "flags": [True, False, True],
        "ragged": [[1], [1, 2], [3]],
        "none": None,
    }
    assert per_token(readings, 3) == {"p": (0.1, None, 0.3), "latents 0": (1, 3, 5), "latents 1": (2, 4, 6)}
    assert per_token({"empty": []}, 0) == {}


def test_edited_tokens_are_found_where_an_edit_went_on_from_the_prompt():
    assert prompt_length([RECEIPT]) == 7 and touched([RECEIPT], 4) == (True, True, False, False)
    later = Receipt("s", "x", {}, (), ((9, 10),), 0.1, "applied")
    assert prompt_length([later]) is None and touched([later], 4) is None
    assert touched([RECEIPT, later], 4) == (True, True, True, False)
    other = Receipt("s", "x", {}, ((3, 4),), ((4, 5),), 0.1, "applied")
    assert prompt_length([RECEIPT, other]) is None and touched([], 4) is None
