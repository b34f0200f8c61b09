"""Write LOG.md from the pages of docs/log, with every negative result in them (`python -m benchmarks.log_index`)."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "log"
INTRODUCTION = """# Log

What was found, with numbers, by subject; what failed is titled "(negative)". One seed unless a line says otherwise; two
CPU cores, float32. Each entry is dated by its last change. This index is written by `python -m benchmarks.log_index`.
"""
ENTRY = re.compile(r"^- (?=\d{4}-)|^- ", re.MULTILINE)
NEGATIVE = re.compile(
    r"\*\*\(negative\)\s*(?P<inside>(?:[^*]|\*(?!\*))*)\*\*\s*(?P<after>(?:[^.]|\.(?=\d)|(?<=\d)\.(?=\s))*)"
)
LONGEST = 110
"""Characters of a title in the index."""


def entries(page: str) -> list[str]:
    """The entries of a page, each in one line."""
    return [" ".join(entry.split()) for entry in ENTRY.split(page)[1:]]


def negatives(entry: str) -> list[str]:
    """Titles of the negative results of an entry: what is set in bold, or how the sentence after the mark begins."""
    found = [match["inside"].strip() or match["after"].strip() for match in NEGATIVE.finditer(entry)]
    short = [title if len(title) <= LONGEST else f"{title[:LONGEST].rsplit(' ', 1)[0]} ..." for title in found]
    return [title.rstrip(".,:;( ") if not title.endswith(" ...") else title for title in short]


def index() -> str:
    """The text of LOG.md."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(PAGES.glob("*.md"))}
    rows, listed = ["| page | entries | negative |", "|---|---|---|"], []
    for path, text in pages.items():
        title = text.splitlines()[0].removeprefix("# Log: ")
        here = [(entry, each) for entry in entries(text) for each in negatives(entry)]
        rows.append(f"| [{title}](docs/log/{path.name}) | {len(entries(text))} | {len(here)} |")
        listed += [f"\n### {title[0].upper()}{title[1:]}\n"] if here else []
        listed += [f"- {entry[:10]}: [{each}](docs/log/{path.name})" for entry, each in here]
    return "\n".join([INTRODUCTION, *rows, "\n## Negative results", *listed]) + "\n"


if __name__ == "__main__":
    (ROOT / "LOG.md").write_text(index(), encoding="utf-8")
