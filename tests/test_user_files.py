"""Files that somebody else wrote: what is valid is read as it stands, all else is refused by file, line and key."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from introlab.errors import InputError
from introlab.io.user_files import json_file, json_lines, read_text
from introlab.tasks.text_files import labelled, read_texts

FORM = "a line"


def rows(path):
    return [raw for _, raw in json_lines(path, form=FORM)]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_a_line_ends_at_a_line_feed_alone(tmp_path, separator):
    said = f"one{separator}two"
    lines = [json.dumps({"id": name, "prompt": said}, ensure_ascii=separator < " ") for name in "ab"]
    (tmp_path / "t.jsonl").write_bytes("\r\n".join(lines).encode())
    assert [row["prompt"] for row in rows(tmp_path / "t.jsonl")] == [said, said]
    assert [text.words.strip() for text in read_texts(tmp_path / "t.jsonl")] == [said, said]


def test_a_byte_order_mark_is_no_content(tmp_path):
    (tmp_path / "t.jsonl").write_bytes(b'\xef\xbb\xbf{"id": "1"}\n')
    assert rows(tmp_path / "t.jsonl") == [{"id": "1"}]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ('{"a": "é"}'.encode("latin-1"), "line 1: byte 0xe9"),
        (b'{"a": 1}\n{"a": "\xff"}', "line 2"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
        ('{"a": 1}'.encode("utf-32"), "UTF-32"),
        ('{"a": 1}'.encode("utf-16-le"), "zero byte"),
        (b'{"a": "\\ud83d"}', "a: \\\\ud83d"),
        (b'{"a": {"b": ["x", "\\udc00"]}}', "surrogate"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": ' + b"9" * 5000 + b"}", "line 1"),
        (b"null", "not an object"),
        (b"[1]", "not an object"),
        (b'"words"', "not an object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": 1}\n{', "line 2"),
    ],
)
def test_what_is_refused_by_its_line(tmp_path, raw, says):
    (tmp_path / "t.jsonl").write_bytes(raw)
    with pytest.raises(InputError) as caught:
        rows(tmp_path / "t.jsonl")
    assert says in str(caught.value) or says.replace("\\\\", "\\") in str(caught.value)
    assert "t.jsonl" in str(caught.value)


def test_no_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_text(path)
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(InputError, match="not an object"):
        json_file(tmp_path / "list.json", form=FORM)


@given(
    st.lists(st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))), min_size=1)
)
def test_whatever_json_writes_is_read_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("lines") / "t.jsonl"
    for ascii_only in (True, False):
        path.write_bytes("\n".join(json.dumps(value, ensure_ascii=ascii_only) for value in values).encode())
        if all("\0" not in text for value in values for pair in value.items() for text in pair):
            assert rows(path) == values


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"prompt": null}', "prompt = None"),
        ('{"prompt": 5}', "prompt = 5"),
        ('{"prompt": ["a"]}', "prompt = "),
        ("{}", "nothing"),
        ('{"prompt": "a", "messages": []}', "a prompt, or messages"),
        ('{"messages": []}', "messages = []"),
        ('{"messages": "a"}', "messages = a"),
        ('{"messages": [{"role": "user"}]}', "messages[0]"),
        ('{"messages": [{"role": "robot", "content": "a"}]}', "robot"),
        ('{"messages": [{"role": "user", "content": null}]}', "messages[0].content"),
        ('{"prompt": "a", "completion": 3}', "completion = 3"),
        ('{"prompt": "a", "id": null}', "id = 'None'"),
        ('{"prompt": "a", "group": ["x"]}', "group = "),
        ('{"prompt": "a", "label": 1}', "neither true nor false"),
    ],
)
def test_texts_are_refused_by_line_and_key(tmp_path, line, says):
    (tmp_path / "t.jsonl").write_text('{"prompt": "fine"}\n' + line)
    with pytest.raises(InputError) as caught:
        read_texts(tmp_path / "t.jsonl")
    assert says in str(caught.value) and "line 2" in str(caught.value)


def test_a_table_says_the_same_as_lines(tmp_path):
    (tmp_path / "t.csv").write_text(
        'id,prompt,label,group,completion\n1,"one, two\nthree",true,g,\n2,four,0,,five\n', encoding="utf-8-sig"
    )
    first, second = read_texts(tmp_path / "t.csv")
    assert (first.words.strip(), labelled(first), first.group) == ("one, two\nthree", True, "g")
    assert (second.words, labelled(second), second.group) == ("four five", False, "2")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("id,text\n1,a\n", "id, text"),
        ("id,prompt\n1,a,b\n", "line 2"),
        ("id,prompt\n1\n", "line 2"),
        ("prompt,label\na,maybe\n", "maybe"),
        ("prompt,prompt\na,b\n", "prompt, prompt"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, table, says):
    (tmp_path / "t.csv").write_text(table)
    with pytest.raises(InputError) as caught:
        read_texts(tmp_path / "t.csv")
    assert says in str(caught.value)


def test_texts_are_checked_before_a_model_is_asked_for(command, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"prompt": "a", "label": "yes"}\n')
    for name in ("read", "fit", "steer"):
        more = ("--direction", "none.safetensors") if name == "steer" else ()
        code, _, err = command(name, "--texts", "t.jsonl", "--out", "o", "--model", "no/such-model", *more)
        assert code == 2 and ("neither true" in err or name == "steer")
