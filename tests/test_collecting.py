"""What is on disk is what the network holds, says what it is, and is never read twice."""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
import torch
from steered import push
from tiny_models import build

from introlab.activations.collect import Reading, Sample, collect
from introlab.activations.extract import read
from introlab.activations.forward import Text
from introlab.activations.store import COLUMNS, Store
from introlab.errors import InputError, ModelMismatch, RunFolderError
from introlab.network.messages import assistant, system, user
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.network.spans import Span

POOLINGS = ("tokens", "last", "mean", "max")
SITES = (Site(0), Site(2), Site(1, "mlp_out"))


def samples(count=9):
    texts = [
        Text(tuple(4 + (index + step) % 80 for step in range(5 + index)), 3, f"t{index}") for index in range(count)
    ]
    return [Sample(text, "plain", str(index % 2)) for index, text in enumerate(texts)]


def readings(sites=SITES):
    return [Reading(site, Span.generated(), pooling) for site in sites for pooling in POOLINGS]


@pytest.fixture
def passes_run(monkeypatch):
    """How many tokens were read by the network."""
    read_tokens = []

    def watch(model):
        honest = type(model).forward

        def forward(self, ids, **inputs):
            read_tokens.append(ids.numel())
            return honest(self, ids, **inputs)

        monkeypatch.setattr(type(model), "forward", forward)
        return read_tokens

    return watch


def test_every_pooling_is_what_the_network_holds(family_model, tmp_path):
    model, asked = family_model("qwen3"), samples()
    store = collect(model, asked, readings(), tmp_path / "store", batch_size=4)
    index = store.index()
    for site in SITES:
        for sample in asked:
            places = list(range(2, len(sample.text.ids)))
            held = read(model, [sample.text], [site], [places])
            values = torch.cat([held[site, at].values for at in range(len(places))])
            expected = {
                "tokens": values,
                "last": values[-1:],
                "mean": values.mean(0)[None],
                "max": values.amax(0)[None],
            }
            for pooling in POOLINGS:
                lines = index[
                    (index["site"] == str(site))
                    & (index["sample"] == sample.text.example)
                    & (index["pooling"] == pooling)
                ]
                found = store.activations(lines)
                assert torch.allclose(found.values, expected[pooling], atol=1e-5)
                assert found.model == model.fingerprint and set(found.examples) == {sample.text.example}
                assert lines["position"].tolist() == (places if pooling == "tokens" else places[-1:])
                assert lines["token"].tolist() == [sample.text.ids[at] for at in lines["position"]]
                assert set(lines["condition"]) == {"plain"} and set(lines["label"]) == {sample.label}


def test_rows_come_in_the_order_asked_for(family_model, tmp_path):
    model = family_model("qwen3")
    store = collect(model, samples(), readings((Site(1),)), tmp_path / "store")
    index = store.index()
    lines = index[index["pooling"] == "tokens"]
    shuffled = lines.sample(frac=1.0, random_state=0)
    whole = store.activations(lines).values
    positions = {label: at for at, label in enumerate(lines.index)}
    expected = whole[[positions[label] for label in shuffled.index]]
    assert torch.equal(store.activations(shuffled).values, expected)


def test_turns_and_phases_are_named(family_model, tmp_path):
    model = family_model("llama")
    dialogue = [system("w1 w2"), user("w3 w4"), assistant("w5"), user("w6")]
    ids = model.ids(dialogue)
    sample = Sample(Text((*ids, 20, 21), len(ids), "a"), turns=model.chat.spans(dialogue))
    store = collect(model, [sample], [Reading(Site(1), Span.all(), "tokens")], tmp_path / "store")
    index = store.index()
    words = {turn: model.text(lines["token"].tolist()) for turn, lines in index[index["turn"] != ""].groupby("turn")}
    assert words == {"system": "w1 w2", "user 0": "w3 w4", "assistant 0": "w5", "user 1": "w6"}
    assert index[index["phase"] == "generated"]["position"].tolist() == [len(ids) - 1, len(ids), len(ids) + 1]


def test_nothing_valid_is_read_again(family_model, tmp_path, passes_run):
    model, asked = family_model("llama"), samples()
    tokens = passes_run(model)
    collect(model, asked, readings(), tmp_path / "store")
    once = sum(tokens)
    again = collect(model, asked[::-1], readings(), tmp_path / "store")
    assert sum(tokens) == once and len(again.index()) == len(Store.open(tmp_path / "store").index())
    collect(model, [*asked, *samples(11)[9:]], readings(), tmp_path / "store")
    assert sum(tokens) - once <= 2 * 16, "two new texts, and nothing else"
    pushed = push(model, 2.0, Span.all(), Site(0))
    steered = [Sample(Text(one.text.ids, 3, one.text.example, (pushed,)), "pushed", one.label) for one in asked]
    store = collect(model, steered, readings(), tmp_path / "store")
    index = store.index()
    assert set(index["condition"]) == {"plain", "pushed"}
    one, other = (
        store.activations(
            index[(index["condition"] == name) & (index["site"] == "resid_post[2]") & (index["sample"] == "t3")]
        )
        for name in ("plain", "pushed")
    )
    assert not torch.allclose(one.values, other.values, atol=1e-2)


def test_a_shard_that_was_damaged_is_read_again(family_model, tmp_path):
    """Bytes changed, an index that was not written yet, a file half written: none of these is trusted."""
    model, asked, folder = family_model("llama"), samples(), tmp_path / "store"
    before = collect(model, asked, readings((Site(1),)), folder).index()
    shard = folder / "shard-00000.safetensors"
    damaged = bytearray(shard.read_bytes())
    damaged[-5] ^= 1
    shard.write_bytes(bytes(damaged))
    (folder / ".shard-00007.safetensors.partial").write_bytes(b"half")
    assert len(Store.open(folder).index()) == 0
    after = collect(model, asked, readings((Site(1),)), folder)
    assert len(after.index()) == len(before)
    lines = after.index()
    assert torch.isfinite(after.activations(lines[lines["pooling"] == "mean"]).values).all()


def test_an_interruption_keeps_what_was_done(family_model, tmp_path, monkeypatch):
    import introlab.activations.collect as collecting

    model, asked, folder = family_model("llama"), samples(), tmp_path / "store"
    monkeypatch.setattr(collecting, "SHARD_TEXTS", 4)
    honest, shards = collecting._collect_shard, []

    def interrupted(*arguments):
        if len(shards) == 1:
            raise KeyboardInterrupt
        shards.append(1)
        honest(*arguments)

    monkeypatch.setattr(collecting, "_collect_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        collect(model, asked, readings((Site(1),)), folder)
    kept = set(Store.open(folder).index()["sample"])
    assert len(kept) == 4
    monkeypatch.setattr(collecting, "_collect_shard", honest)
    assert len(set(collect(model, asked, readings((Site(1),)), folder).index()["sample"])) == len(asked)


def test_half_precision_stays_half(tmp_path):
    model = load(str(build("llama", tmp_path / "m")), dtype="bfloat16", device="cpu")
    store = collect(model, samples(3), [Reading(Site(1), Span.last())], tmp_path / "store")
    from safetensors import safe_open

    with safe_open(store.folder / "shard-00000.safetensors", framework="pt") as file:
        assert file.get_tensor("resid_post[1]").dtype == torch.bfloat16
    assert store.activations(store.index()).values.dtype == torch.float32


def test_what_is_refused(family_model, tmp_path):
    model = family_model("llama")
    collect(model, samples(2), [Reading(Site(1), Span.last())], tmp_path / "store")
    with pytest.raises(ModelMismatch, match="something else"):
        collect(family_model("qwen3"), samples(2), [Reading(Site(1), Span.last())], tmp_path / "store")
    with pytest.raises(InputError, match="without a position"):
        collect(model, samples(2), [Reading(Site(1), Span.positions(90, 95))], tmp_path / "other")
    with pytest.raises(InputError, match="unknown pooling"):
        Reading(Site(1), Span.last(), "median")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no layer 9"):
        collect(model, samples(2), [Reading(Site(9), Span.last())], tmp_path / "other")
    with pytest.raises(InputError, match="not a store"):
        Store.open(tmp_path)
    store = collect(model, samples(2), readings(), tmp_path / "third")
    with pytest.raises(InputError, match="one site at a time"):
        store.activations(store.index())
    with pytest.raises(InputError, match="one site at a time"):
        store.activations(pd.DataFrame(columns=["site"]))
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be written"):
        collect(model, samples(2), readings(), tmp_path / "file" / "store")


def kept(store):
    return set(store.index()["sample"])


def test_a_deleted_shard_costs_no_other(family_model, tmp_path, monkeypatch):
    """Texts A, B, C in shards of one; the first is deleted, and D is read: B and C are kept, A is read again."""
    monkeypatch.setattr("introlab.activations.collect.SHARD_TEXTS", 1)
    model, asked, how = family_model("llama"), samples(4), readings()[:1]
    store = collect(model, asked[:3], how, tmp_path / "store")
    for path in store.folder.glob("shard-00000.*"):
        path.unlink()
    assert kept(store) == {"t1", "t2"}
    collect(model, asked[3:], how, tmp_path / "store")
    assert kept(store) == {"t1", "t2", "t3"}
    collect(model, asked, how, tmp_path / "store")
    assert kept(store) == {"t0", "t1", "t2", "t3"} and not store.index().duplicated("key").all()
    held = store.activations(store.index().sort_values("sample"))
    direct = [read(model, [one.text], [SITES[0]], [range(2, len(one.text.ids))]) for one in asked]
    expected = torch.cat([each[SITES[0], at].values for each in direct for at in range(len(each))])
    assert torch.allclose(held.values, expected, atol=1e-5)


def test_two_writers_at_once(family_model, tmp_path):
    """Each writes while the other does, some of it the same: every row is there, once."""
    model, how = family_model("llama"), readings()[:1]
    first, second = (collect(model, samples(9)[part], how, tmp_path / name) for part, name in PARTS)
    shared = Store.create(tmp_path / "shared", first.facts)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: [append_all(shared, one) for _ in range(8)], (first, second)))
    assert len(list(shared.folder.glob("shard-*.parquet"))) == 16
    index = shared.index()
    assert set(index["sample"]) == {f"t{n}" for n in range(9)}
    assert not index.duplicated(["key", "position"]).any()
    assert torch.isfinite(shared.activations(index).values).all()


PARTS = ((slice(0, 6), "first"), (slice(3, 9), "second"))


def append_all(store, other):
    index = other.index()
    rows = index[list(COLUMNS)].to_dict("records")
    store.append(rows, {SITES[0]: other.activations(index).values})


def test_a_shard_that_was_only_begun_takes_no_name(family_model, tmp_path):
    """A writer that is killed leaves an empty file: nothing of it counts, and nothing is written over."""
    model, how = family_model("llama"), readings()[:1]
    store = collect(model, samples(2), how, tmp_path / "store")
    (store.folder / "shard-00001.safetensors").touch()
    (store.folder / "shard-00007.safetensors.1a2b.part").touch()
    collect(model, samples(3), how, tmp_path / "store")
    assert kept(store) == {"t0", "t1", "t2"} and (store.folder / "shard-00008.parquet").is_file()
