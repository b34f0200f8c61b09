"""The pages say what is so: commands exist, links lead somewhere, the tree is the tree, the ten lines run."""

import re
from pathlib import Path

import pytest

from benchmarks import log_index
from experiments import discover
from experiments.cli.commands import COMMANDS
from introlab.network.specs import organism_names

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_the_page_names_every_command_and_no_other():
    page = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`introlab (\w+)", page))
    assert named == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_index_of_the_log_is_of_these_pages():
    assert log_index.index() == (ROOT / "LOG.md").read_text(encoding="utf-8"), "python -m benchmarks.log_index"
    assert len(log_index.entries(next(log_index.PAGES.glob("measuring.md")).read_text(encoding="utf-8"))) >= 44


def test_the_tree_is_the_tree():
    tree = README.split("## The tree")[1].split("```")[1]
    folders = set(re.findall(r"^(\w+)/", tree, re.MULTILINE))
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))}
    assert folders == there - {"runs", "build", "dist"}


def test_the_ten_lines_run(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip() and not line.startswith("from ")]
    assert len(lines) <= 10
    exec(compile(code, "README.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "positions" in shown and "of the norm there (applied)" in shown


def test_the_guide_to_writing_runs(capsys):
    page = (ROOT / "docs" / "writing.md").read_text(encoding="utf-8")
    exec(compile("\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)), "writing.md", "exec"), {})
    assert "applied" in capsys.readouterr().out


GUIDES = {
    "reading.md": ("can be read with AUROC",),
    "saes.md": ("loss recovered, over zero",),
    "latents.md": ("tells an answer to another question",),
    "judges.md": ("20 of 20 known answers right", "kappa"),
    # The second attempt draws anew: nothing is kept or repaired beyond the null, and it is as good as the first.
    "statistics.md": ("drawing anew 0.6", "as good True"),
    "runs.md": ("160",),
}


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_runs(name, capsys):
    """All its blocks are one program, and it says what it is to say."""
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    exec(compile("\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)), name, "exec"), {})
    shown = capsys.readouterr().out
    for words in GUIDES[name]:
        assert words in shown


def test_the_demo_was_written_into_the_readme():
    pages = README, (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    table, shown = (
        page.split("<!-- demo: written by make tables -->")[1].split("<!-- end of demo -->")[0] for page in pages
    )
    for name, kind in discover().items():
        assert kind.question() in shown and f"| {name.replace('_', '-')} |" in table, "make tables"
    assert "Wall time" in shown and "peak memory" in shown


def test_the_first_page_is_short():
    assert len(README.encode()) <= 12_000 and len(README.splitlines()) <= 250


def test_every_shipped_organism_is_on_the_page():
    page = (ROOT / "docs" / "organisms.md").read_text(encoding="utf-8")
    for name in organism_names():
        assert f"| [{name}](../organisms/models/{name}/README.md) |" in page, "make organisms"
    assert "Bounds were fixed" in page


@pytest.mark.slow
def test_every_bound_on_the_page_holds():
    page = (ROOT / "docs" / "organisms.md").read_text(encoding="utf-8")
    assert "**does not hold**" not in page


def test_contributing_is_short():
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) < 50
