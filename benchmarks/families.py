"""The table of families in docs/families.md: every check of tests/family_checks.py on a tiny random model of each.

python -m benchmarks.families [--out docs/families.md]
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = """# Families of models

Computed by `python -m benchmarks.families` on tiny random models in float32, with transformers {version}: a network of
the family's own code, its tokenizer, and a low-rank adapter of it. What is asked:

| check | passes where |
|---|---|
| read | what each block is given, of texts of three lengths read together, is what Hugging Face records of each alone |
| steer | texts written under pushes of different strengths, together, are those of a plain hook on each text alone |
| cached = uncached | logits of texts read in pieces from a shared cache are those of each text read at once, alone |
| alone = in company | so are logits of texts read together, in the usual way and the deterministic one |
| sites add up | `resid_pre + attn_out = resid_mid`, `resid_mid + mlp_out = resid_post`; a push on `mlp_out` acts so |
| direct = bridge | TransformerLens' way into the network sees the same at every site |
| adapter | a low-rank adapter, merged at load, has peft's own logits |

Differences above 1e-4, relative, do not pass. **refused** means that the lab says so by name, when the model is loaded
or when the bridge or the site is asked for. Every network is also checked in small when it is loaded, whatever its
family: one that reads a text otherwise in company or from a cache than alone is refused. Networks with other attention
than full and sliding windows (state spaces, chunks, linear attention) are refused; so is one whose attention is biased
by distance and takes no mask per query (Falcon with alibi). Texts that would cross the length at which `longrope`
changes its frequencies are refused; texts on either side of it are read.

"""


def table(rows: dict[str, dict[str, str]], columns: Sequence[str]) -> str:
    """Markdown: a line per family, and below it why the refused are refused."""
    lines = [f"| family | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    reasons: dict[str, list[str]] = {}
    for family, found in rows.items():
        cells = [_cell(found[column]) for column in columns]
        lines.append(f"| {family} | {' | '.join(cells)} |")
        for why in dict.fromkeys(one for one in found.values() if one):
            reasons.setdefault(why.removeprefix("refused: "), []).append(family)
    told = [f"- {', '.join(families)}: {why}" for why, families in reasons.items()]
    return "\n".join([*lines, "", "Why:", "", *told, ""])


def _cell(found: str) -> str:
    return "pass" if not found else "refused" if found.startswith("refused: ") else "**fails**"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 where anything fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "families.md")
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.path.insert(0, str(ROOT / "tests"))
    import transformers
    from family_checks import CHECKS, results  # type: ignore[import-not-found]
    from tiny_families import EVERY, build  # type: ignore[import-not-found]

    rows: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for family in EVERY:
            found = results(build(family, Path(folder) / family))
            rows[family] = {check: why.replace(f"{folder}/", "") for check, why in found.items()}
            print(family, {check: why for check, why in rows[family].items() if why} or "pass", flush=True)
    text = HEAD.format(version=transformers.__version__) + table(rows, list(CHECKS))
    chosen.out.write_text(text, encoding="utf-8")
    return int(any(_cell(why) == "**fails**" for found in rows.values() for why in found.values()))


if __name__ == "__main__":
    sys.exit(main())
