"""Fit a direction on the user's own labelled texts: what it is worth on groups held out, or on another file."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.cli.loading import LoadsModel
from experiments.cli.output_files import new_file, tell_facts
from experiments.cli.own_texts import Line, at_the_end, in_tokens, named_sites, sites_of
from introlab.activations.extract import Activations
from introlab.errors import InputError
from introlab.network.sites import Site
from introlab.records.findings import Findings
from introlab.stats.baseline_gain import gain_over
from introlab.stats.discrimination import auroc
from introlab.stats.interval import Estimate
from introlab.tasks.text_files import TextEntry, labelled, read_texts
from probes.linear.bank import Method
from probes.linear.baselines import numbers_only, text_only
from probes.linear.evaluate import Baselines, evaluate
from probes.linear.fit import fit_probe
from probes.linear.probe import Probe


@dataclass(frozen=True, kw_only=True)
class Fit(LoadsModel):
    """Fit a direction on your own labelled texts, and say how well it generalises beside a text-only baseline."""

    texts: Path | None = None
    """JSON lines (or a .csv) with "label": true or false, and "group" for what must not be split between fitting and
    testing: tested on groups held out."""
    train: Path | None = None
    """Instead of --texts: fitted on all of these ..."""
    test: Path | None = None
    """... and tested on all of those, which share no text with them."""
    out: Path
    site: str = "resid_post[3]"
    """A place, several with commas, a stream, or all: read in one pass, the best chosen inside the training texts."""
    method: Method = "difference_of_means"
    batch_size: int = 64
    json: bool = False

    def __call__(self) -> int:
        named, path, (entries, others) = named_sites(self.site), new_file(self.out), self._files()
        labels, groups = _labels(entries), [entry.group for entry in entries]
        if others:
            _labels(others)
        model = self.load()
        sites = sites_of(model, named)
        lines = in_tokens(model, [*entries, *others])
        every = at_the_end(model, lines, sites, self.batch_size)
        here, there = (
            {
                place: each.where([(row < len(entries)) == first for row in range(len(lines))])
                for place, each in every.items()
            }
            for first in (True, False)
        )
        mine, other = lines[: len(entries)], lines[len(entries) :]
        found = evaluate(here, labels, groups, method=self.method, beside=_beside(mine))
        site = _best(found)
        probe = fit_probe(here[site, 0], labels, model=model, method=self.method)
        probe.direction.save(path)
        told: dict[str, Any] = {"direction": str(path), **_facts(found, site, probe, len(entries), len(sites))}
        if other:
            told |= _carried(probe, there[site, 0], mine, other)
        tell_facts(self.json, **told)
        return 0

    def _files(self) -> tuple[list[TextEntry], list[TextEntry]]:
        """The texts to fit on, and those of another file to test on."""
        if self.texts is not None and self.train is None and self.test is None:
            return read_texts(self.texts), []
        if self.texts is not None or self.train is None or self.test is None:
            raise InputError(
                "files to fit on that are not plain",
                given=f"--texts {self.texts}, --train {self.train}, --test {self.test}",
                allowed="--texts FILE, or --train FILE --test FILE",
            )
        train, test = (
            [replace(one, id=f"{name}: {one.id}") for one in read_texts(path)]
            for name, path in (("train", self.train), ("test", self.test))
        )
        seen = {one.words: one.where for one in train}
        if shared := [one for one in test if one.words in seen]:
            raise InputError(
                "texts that are fitted on and tested on",
                given=f"{len(shared)} of {len(test)}, such as {shared[0].where} and {seen[shared[0].words]}",
                do="take them out of one of the two files",
            )
        return train, test


def _labels(entries: list[TextEntry]) -> list[bool]:
    labels = [labelled(entry) for entry in entries]
    if len(set(labels)) < 2:
        raise InputError("labels of one class", given=f"{len(labels)} texts, all {labels[0]}", do="label both kinds")
    return labels


def _beside(lines: list[Line]) -> Baselines:
    lengths = [len(line.text.ids) for line in lines]
    return Baselines(texts=[line.entry.words for line in lines], numbers={"length": lengths})


def _best(found: Findings) -> Site:
    """Where held-out groups of the texts that are fitted on are told best; the first of equals."""
    rows = list(found.select("held-out AUROC"))
    best = max(rows, key=lambda row: round(row.estimate.value or 0.0, 6))
    return Site.parse(str(best.where["site"]))


def _facts(found: Findings, site: Site, probe: Probe, examples: int, sites: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "site": str(site),
        "natural_scale": round(probe.direction.scale, 4),
        "examples": examples,
        "held_out_auroc": _told(found.one("AUROC of the probe")),
        "text_only_auroc": _told(found.one("AUROC of text only")),
        "length_auroc": _told(found.one("AUROC of length")),
        "shuffled_labels_auroc": _told(found.one("AUROC of shuffled labels")),
        "answer": found.answer,
    }
    if sites > 1:
        told["held_out_auroc_by_site"] = {
            str(row.where["site"]): _told(row.estimate) for row in found.select("held-out AUROC")
        }
    return told


def _carried(probe: Probe, there: Activations, mine: list[Line], other: list[Line]) -> dict[str, Any]:
    """On the other file: the probe, and what was fitted on the same texts and sees the words or their number alone."""
    known, truth = (_labels([line.entry for line in lines]) for lines in (mine, other))
    clusters = [line.entry.group for line in other]
    scores = probe.log_odds(there).tolist()
    words = text_only([line.entry.words for line in mine], known, [line.entry.words for line in other])
    lengths = numbers_only([len(line.text.ids) for line in mine], known, [len(line.text.ids) for line in other])
    read = auroc(scores, truth, clusters)
    over = {
        name: gain_over(scores, each, truth, clusters) for name, each in (("text only", words), ("length", lengths))
    }
    unbeaten = [name for name, gain in over.items() if not gain.above(0)]
    if not read.above(0.5):
        said = f"on the other file it could not be read: AUROC {read}."
    elif unbeaten:
        said = f"on the other file it is read with AUROC {read}, not shown to be more than {', '.join(unbeaten)} tell."
    else:
        said = f"on the other file it is read with AUROC {read}, more than {', '.join(over)} tell."
    return {
        "tested_on": len(other),
        "transfer_auroc": _told(read),
        "transfer_text_only_auroc": _told(auroc(words, truth, clusters)),
        "transfer_length_auroc": _told(auroc(lengths, truth, clusters)),
        "transfer_gain": {name: _told(gain) for name, gain in over.items()},
        "transfer_answer": said,
    }


def _told(estimate: Estimate) -> str:
    if estimate.known:
        return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
    return f"{estimate.value} (no interval: {estimate.method})"
