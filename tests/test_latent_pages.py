"""What a page says of a latent is what is there; pages ask the network for nothing and let no text out of its frame."""

import copy
import re

import numpy as np
import pytest
import torch
from planted_latents import SITE, coordinate_reader, random_texts, written_model

from introlab.activations.extract import Activations
from introlab.activations.forward import Text
from introlab.errors import InputError, RunFolderError
from introlab.network.sites import Site
from introlab.reporting import detokenize as pieces
from probes.sae.latent_dashboard import write_pages
from probes.sae.latent_probes import by_text
from probes.sae.max_activating_examples import QUANTILES, ActivatingText, LatentSummary, frequencies, latent_summaries
from probes.sae.model import Sae

RED, BLUE = 20, 21
WRITTEN = {RED: {0: 4.0}, BLUE: {0: 1.5, 1: 2.0}, 25: {2: 0.0}}


@pytest.fixture(scope="module")
def written(family_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    model = written_model(folder, family_folder, WRITTEN)
    return model, coordinate_reader(model, [0, 1, 2]), folder


def test_portraits_are_what_a_plain_count_gives(written):
    model, sae, _ = written
    texts = random_texts(60, length=9, seed=1)
    found = latent_summaries(model, sae, texts, [0, 1, 2, 7], largest=4, each=2, batch_size=13)
    held = {index: latents for index, _, (latents,) in by_text(model, [sae], texts)}
    every = [held[index] for index in range(len(texts))]
    for one in found:
        values = torch.cat([latents[1:, one.index] for latents in every])
        assert one.tokens == len(values) == sum(len(text.ids) - 1 for text in texts)
        assert sorted(one.active.tolist()) == pytest.approx(sorted(values[values > 0].tolist()), abs=1e-5)
        assert one.frequency == pytest.approx(float((values > 0).float().mean()))
        peaks = np.array([float(latents[1:, one.index].max()) for latents in every])
        assert one.texts == pytest.approx(float((peaks > 0).mean()))
        kinds = [example.kind for example in one.examples]
        best = [max(example.values[1:]) for example in one.examples if example.kind == "largest"]
        assert best == pytest.approx(sorted(peaks[peaks > 0], reverse=True)[:4], abs=1e-5)
        assert len({example.name for example in one.examples}) == len(one.examples)
        for example in one.examples:
            assert (max(example.values[1:]) > 0) == (example.kind != "silent")
            at = [text.example for text in texts].index(example.name)
            assert example.values == pytest.approx(every[at][:, one.index].tolist(), abs=1e-5)
            assert len(example.tokens) == len(texts[at].ids)
        assert kinds.count("silent") == min(2, int((peaks <= 0).sum()))
    assert len(found[2].active) == 0 and found[2].mean_active == found[2].largest == 0
    assert frequencies(model, sae, texts)[[0, 1, 2, 7]].tolist() == pytest.approx([one.frequency for one in found])


def test_quantile_examples_lie_between_the_largest_and_the_least(written):
    model, sae, _ = written
    (one,) = latent_summaries(model, sae, random_texts(200, seed=2), [9], largest=3, each=2)
    by_kind = {kind: [max(each.values[1:]) for each in one.examples if each.kind == kind] for kind in kinds_of(one)}
    assert list(by_kind) == ["largest", *(f"quantile {at:g}" for at in QUANTILES), "silent"][: len(by_kind)]
    middle = [by_kind[f"quantile {at:g}"][0] for at in QUANTILES]
    assert sorted(middle, reverse=True) == middle and min(by_kind["largest"]) >= middle[0]


def kinds_of(one: LatentSummary) -> dict[str, None]:
    return dict.fromkeys(example.kind for example in one.examples)


def test_a_latent_that_writes_a_word_promotes_it(written):
    """Its decoder is the unembedding of the word, its site the last block's output."""
    model, sae, _ = written
    words = model.network.get_output_embeddings().weight.detach()
    last = Site(model.n_layers - 1)
    writer = copy.deepcopy(sae.sae)
    writer.W_dec[5], writer.W_dec[6] = words[33] * 50, -words[33] * 50
    there = Sae(writer, last, "writer", model.fingerprint)
    up, down = latent_summaries(model, there, random_texts(30, seed=4), [5, 6], words=3)
    token = model.tokenizer.decode([33])
    assert up.promoted[0][0] == token and down.suppressed[0][0] == token
    assert up.promoted[0][1] > 0 > down.suppressed[0][1]
    assert [by for _, by in up.promoted] == sorted((by for _, by in up.promoted), reverse=True)


def test_pieces_put_together_are_the_text(organism, written):
    for model in (organism("base"), written[0]):
        ids = model.ids([{"role": "user", "content": "wait , 1 2"}])
        found = pieces.written(model.tokenizer.backend_tokenizer, ids)
        assert "".join(found) == model.tokenizer.decode(ids) and len(found) == len(ids)


def portrait(index, tokens, values, prompt_len=1):
    active = torch.tensor([value for value in values[1:] if value > 0])
    example = ActivatingText("largest", "a <b>name</b>", tokens, values, prompt_len)
    return LatentSummary(index, 100, active, 0.5, (example,), (("<i>", 1.0),), (("</td>", -0.5),))


def test_pages_are_whole_escaped_and_offline(tmp_path):
    evil = "<script>alert(1)</script>"
    some = [
        portrait(3, ("bos", evil, "b\n", ""), (9.0, 2.0, 1.0, 0.0)),
        portrait(8, ("bos", "x"), (0.0, 0.0)),
        portrait(5, tuple(map(str, range(200))), tuple(float(at == 100) for at in range(200))),
    ]
    index = write_pages(some, tmp_path / "pages", about="latents of <x>")
    pages = sorted((tmp_path / "pages").glob("*.html"))
    assert [page.name for page in pages] == ["index.html", "latent-3.html", "latent-5.html", "latent-8.html"]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert evil not in text and "<x>" not in text and "<i>" not in text and "<b>name" not in text
        for link in re.findall(r"(?:src|href)='([^']*)'", text) + re.findall(r'(?:src|href)="([^"]*)"', text):
            assert (page.parent / link).is_file(), link
        assert not re.search(r"url\(|@import|<(?:link|iframe|img)\b", text)
    first = (tmp_path / "pages" / "latent-3.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in first and "b⏎" in first and "class='peak'" in first
    assert "title='9" not in first  # the first token does not count
    long = (tmp_path / "pages" / "latent-5.html").read_text(encoding="utf-8")
    assert ">100<" in long and ">20<" not in long and long.count("class='cut'") == 2
    assert "never active" in index.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="something in this folder"):
        write_pages(some, tmp_path / "pages", about="again")
    with pytest.raises(RunFolderError, match="cannot be written"):
        write_pages(some, index, about="a file is there")
    with pytest.raises(InputError, match="no latents"):
        write_pages([], tmp_path / "other", about="nothing")


def test_latents_and_texts_that_are_not_there_are_refused(written):
    model, sae, _ = written
    texts = random_texts(3)
    for latents, some in (([99], texts), ([-1], texts), ([0], []), ([0], [Text((5,), 1, "short")])):
        with pytest.raises(InputError):
            latent_summaries(model, sae, some, latents)
    with pytest.raises(InputError):
        sae(Activations(torch.zeros(1, model.d_model), Site(0), model.fingerprint, ("x",)))


def test_the_command_writes_pages_of_given_texts(written, command, tmp_path):
    model, sae, folder = written
    sae.sae.save_model(tmp_path / "sae")
    (tmp_path / "texts.jsonl").write_text(
        "\n".join(f'{{"id": "{at}", "prompt": "w{at} red w{at + 1} blue"}}' for at in range(12))
    )
    given = ["saes", "pages", "sae", "--model", str(folder), "--texts", "texts.jsonl", "--site", str(SITE)]
    code, out, _ = command(*given, "--out", "pages", "--latents", "0", "4")
    assert code == 0 and out.strip().endswith("index.html")
    assert {page.name for page in (tmp_path / "pages").iterdir()} == {
        *("index.html", "latent-0.html", "latent-4.html", "plotly.min.js"),
    }
    code, _, _ = command(*given, "--out", "spread", "--count", "3")
    assert code == 0 and len(list((tmp_path / "spread").glob("latent-*.html"))) == 3
    assert command(*given, "--out", "pages")[0] == 2
    assert command(*given, "--out", "none", "--latents", "1000")[0] == 2
    assert command("saes", "pictures")[0] == 2
    assert model.fingerprint
