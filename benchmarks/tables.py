"""Runs every experiment at its full size on organisms; writes README.md's table and docs/demo.md: `make tables`."""

import os
import re
import resource
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from experiments import find
from introlab.records.findings import Findings, Row
from introlab.records.run import Run
from introlab.reporting.tables import NOTE, interval, laid_out, markdown, number

ROOT = Path(__file__).parent.parent
README, PAGE, FIGURE = ROOT / "README.md", ROOT / "docs" / "demo.md", ROOT / "docs" / "steering_resistance.png"
EXPERIMENTS = (
    "confidence",
    "steering_resistance",
    "reflection_steering",
    "reflection_localization",
    "endogenous_resistance",
    "injected_concepts",
    "self_prediction",
)


def main() -> None:
    folder = ROOT / "runs" / datetime.now().strftime("tables-%Y%m%d-%H%M%S")
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "experiments", "demo", "--full", "--out", str(folder)], cwd=ROOT, check=True)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    runs = {name: Run.open(folder / name) for name in EXPERIMENTS}
    cost = f"Wall time {seconds:.0f} s, peak memory {memory:.0f} MB, on {os.cpu_count()} cores without a GPU."
    replace(README, "demo", at_a_glance(runs))
    replace(PAGE, "demo", f"{cost}\n\n" + "\n\n".join(short(run) for run in runs.values()))
    picture(runs["steering_resistance"])


def at_a_glance(runs: dict[str, Run]) -> str:
    """For each experiment the verdict on each of its models, where it sorts them, and the outcome that was declared."""
    lines = ["| experiment | organism | verdict | declared outcome | estimate |", "|---|---|---|---|---|"]
    for name, run in runs.items():
        findings = run.findings
        for row in findings.primary:
            model = str(row.where.get("model", ""))
            verdict = findings.verdicts.get(model, "")
            lines.append(
                f"| {name.replace('_', '-')} | {model.removeprefix('organism:')} | {verdict} | {row.measure} | "
                f"{number(row.estimate.value)} {interval(row.estimate)} |"
            )
    return "\n".join(lines)


def short(run: Run) -> str:
    """The question, the answer, and the rows a reader wants first."""
    kind, findings = find(run.manifest["experiment"]), run.findings
    tables = "\n\n".join(markdown(table) for table in laid_out(wanted(kind.name(), findings)))
    folded = f"<details><summary>the table</summary>\n\n{tables}\n\n<sub>{NOTE}</sub>\n\n</details>"
    return f"**{kind.question()}**\n\n{findings.answer}\n\n{folded}"


def wanted(name: str, findings: Findings) -> list[Row]:
    keep = {
        "confidence": lambda row: row.measure.startswith("auroc of"),
        "steering_resistance": lambda row: (
            row.measure in ("off_share", "announced", "returned of intruded", "incoherent")
        ),
        "reflection_steering": lambda row: (
            row.measure.startswith("auroc of")
            or row.measure
            in ("reconsidered", "final_right", "keeps right answers", "repairs wrong answers", "p_reconsider")
        ),
        "reflection_localization": lambda row: (
            "AUROC within levels at lead" in row.where or "effect" in row.where or "whose" in row.where
        ),
        "endogenous_resistance": lambda row: (
            row.measure in ("first-attempt score", "multi-attempt rate", "ESR rate", "last attempt worse", "incoherent")
        ),
        "injected_concepts": lambda row: row.measure in ("says yes", "named among ten"),
        "self_prediction": lambda row: row.measure in ("accuracy", "self over rival", "calibration (MAD)"),
    }[name]
    return [row for row in findings.rows if row.role != "detail" and (row.role == "primary" or keep(row))]


def replace(path: Path, name: str, text: str) -> None:
    """Write between the two markers of that name."""
    start, stop = f"<!-- {name}: written by make tables -->", f"<!-- end of {name} -->"
    old = path.read_text(encoding="utf-8")
    new = re.sub(re.escape(start) + ".*?" + re.escape(stop), lambda _: f"{start}\n{text}\n{stop}", old, flags=re.DOTALL)
    path.write_text(new, encoding="utf-8")


def picture(run: Run) -> None:
    """One figure of a real result, as a picture; left as it is where kaleido is not installed."""
    import plotly.io as pio

    figure = pio.from_json((run.folder / "figures" / "verdict.json").read_text(encoding="utf-8"))
    try:
        figure.write_image(FIGURE, width=900, height=430, scale=2)
    except (ImportError, ValueError, RuntimeError) as error:
        sys.stderr.write(f"no picture: {error}\n")


if __name__ == "__main__":
    main()
