"""A changed byte in what a run writes is noticed: lines, table, findings, manifest. What an older lab wrote opens."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.crash_scenarios import SPECS, TEXTS, contents, recorded, run_tiny
from introlab.errors import AlteredFile, InputError
from introlab.io.json_digest import read_json, sealed, unsealed
from introlab.io.jsonl import Lines
from introlab.records.run import Run

ENTRIES = st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=9), st.floats(allow_nan=False)), min_size=1)


@given(st.one_of(ENTRIES, ENTRIES.map(lambda entries: ["key", entries])), st.sampled_from([None, 1, 2]))
def test_what_is_sealed_is_json_and_comes_back(value, indent):
    text = json.dumps(value, indent=indent if isinstance(value, dict) else None)
    both = sealed(text)
    assert unsealed(both) == (text, True) and unsealed(text) == (text, False)
    whole = json.loads(both)
    assert (whole[:-1] if isinstance(value, list) else {k: v for k, v in whole.items() if k != "digest"}) == (
        value if isinstance(value, list) else {k: v for k, v in value.items() if k != "digest"}
    )


@pytest.mark.parametrize("text", ["{}", "[]", "7", "word"])
def test_what_has_no_entries_is_not_sealed(text):
    with pytest.raises(ValueError, match="with entries"):
        sealed(text)


def flipped(held, rng):
    """With one bit changed."""
    place = rng.randrange(len(held))
    return held[:place] + bytes([held[place] ^ 1 << rng.randrange(8)]) + held[place + 1 :]


def seen(kind, run):
    """What a reader gets."""
    if kind == "trials.jsonl":
        return [trial.to_line() for trial in run.trials()]
    if kind == "texts.jsonl":
        return list(Lines(run.journal, must_be_sealed=True))
    if kind == "findings.json":
        return run.findings
    if kind == "manifest.json":
        return Run.open(run.folder).manifest
    return [trial.to_line() for trial in run.trials()]


@pytest.mark.parametrize("kind", ["trials.jsonl", "texts.jsonl", "trials.parquet", "findings.json", "manifest.json"])
def test_of_random_flips_none_is_accepted(tmp_path, kind):
    """Beside an error, one thing may happen: the last line is torn, and its trial is made again."""
    (recorded if kind.endswith("jsonl") else run_tiny)(tmp_path / "r")
    run, rng = Run(tmp_path / "r"), random.Random(kind)
    path = run.folder / kind
    held, whole = path.read_bytes(), seen(kind, run)
    noticed = torn = 0
    for _ in range(400):
        path.write_bytes(flipped(held, rng))
        try:
            found = seen(kind, run)
        except (InputError, ValueError):
            noticed += 1
        else:
            torn += 1
            assert kind.endswith("jsonl") and found == whole[:-1], "accepted"
    assert noticed + torn == 400 and torn < 100
    path.write_bytes(held)
    assert seen(kind, run) == whole


def test_a_line_changed_to_a_zero_byte_does_not_hide_what_follows(tmp_path):
    recorded(tmp_path / "r")
    run = Run(tmp_path / "r")
    path = run.folder / "trials.jsonl"
    path.write_bytes(path.read_bytes().replace(b"text 0, wait", b"text\x000, wait", 1))
    size = path.stat().st_size
    with pytest.raises(AlteredFile, match="at byte 0"):
        list(run.trials())
    with pytest.raises(AlteredFile):
        run_tiny(tmp_path / "r")
    assert path.stat().st_size == size, "nothing is cut off"


def test_a_changed_line_can_be_made_again(tmp_path):
    """As the message says: without the file, trials come from texts, and texts are written again."""
    wanted = contents(run_tiny(tmp_path / "whole").folder)
    for name in ("trials.jsonl", "texts.jsonl"):
        recorded(tmp_path / name)
        path = tmp_path / name / name
        if name == "texts.jsonl":  # else all trials are there, and no text is looked for
            (tmp_path / name / "trials.jsonl").unlink()
        path.write_bytes(path.read_bytes().replace(b"7", b"8", 1))
        with pytest.raises(AlteredFile, match="or remove it"):
            run_tiny(tmp_path / name)
        path.unlink()
        run_tiny(tmp_path / name)
        assert contents(tmp_path / name) == wanted


def test_a_changed_verdict_is_passed_over_and_the_rest_is_kept(tmp_path):
    lines = Lines(tmp_path / "verdicts", pass_over=True)
    with lines.appending() as add:
        for index in range(3):
            add(json.dumps([f"key {index}", {"value": "yes"}]))
    lines.path.write_bytes(lines.path.read_bytes().replace(b"key 1", b"key 7"))
    assert [json.loads(line)[0] for line in lines] == ["key 0", "key 2"]
    with lines.appending() as add:
        add('["key 3",{}]')
    assert len(list(lines)) == 3
    with pytest.raises(AlteredFile):
        list(Lines(lines.path))


def older(folder, schema):
    """As schema 1 and 2 left it: no digests anywhere, and 1 kept finished trials in lines."""
    run = run_tiny(folder)
    trials = sorted(run.trials(), key=lambda trial: trial.id)
    findings = run.findings.as_json()
    manifest = {k: v for k, v in run.manifest.items() if k not in ("digest", "table")}
    models = {k: {n: f for n, f in facts.items() if n != "trials"} for k, facts in manifest["models"].items()}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "models": models, "schema": schema}))
    (folder / "findings.json").write_text(json.dumps(findings))
    if schema == 1:
        (folder / "trials.parquet").unlink()
        (folder / "trials.jsonl").write_text("".join(trial.to_line() + "\n" for trial in trials))
    return trials


@pytest.mark.parametrize("schema", [1, 2])
def test_an_older_run_opens_and_goes_on(tmp_path, schema):
    trials = older(tmp_path / "r", schema)
    run = Run.open(tmp_path / "r")
    assert run.complete and list(run.trials()) == trials and run.count() == TEXTS * len(SPECS)
    assert run.findings.answer == "6 trials"
    run_tiny(tmp_path / "r")
    (run.folder / "COMPLETE").unlink()
    run_tiny(tmp_path / "r")
    assert run.complete and list(run.trials()) == trials
    assert "digest" in json.loads((run.folder / "manifest.json").read_text()) or schema == 2


def test_a_digest_that_must_be_there(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": 1}')
    assert read_json(path) == {"a": 1}
    with pytest.raises(AlteredFile):
        read_json(path, must=True)
    path.write_text("[1]")
    with pytest.raises(ValueError, match="not a JSON object"):
        read_json(path)
