"""The tables of docs/injected_concepts.md from finished runs: `python -m benchmarks.injected_concepts RUN ...`."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from introlab.records.findings import Findings
from introlab.records.run import Run
from introlab.stats.interval import Estimate
from introlab.stats.power import visible

PAGE = Path(__file__).parent.parent / "docs" / "injected_concepts.md"
PRIMARY = "detected beyond random and always-no questions"
YES = "says yes"
RATES = {
    "under a concept (sensitivity)": (YES, {"question": "detect", "arm": "target"}),
    "nothing injected (false positives)": (YES, {"question": "detect", "arm": "baseline"}),
    "random directions (false positives)": (YES, {"question": "detect", "arm": "random_direction"}),
    "the concept as text (false positives)": (YES, {"question": "detect", "arm": "prompting"}),
    "sign flipped": (YES, {"question": "detect", "arm": "sign flipped"}),
    "without its yes part": (YES, {"question": "detect", "arm": "without yes"}),
    "from no to yes": (YES, {"question": "detect", "arm": "yes direction"}),
    "always-no question, nothing injected": (YES, {"question": "always no", "arm": "baseline"}),
    "always-no question, random directions": (YES, {"question": "always no", "arm": "random_direction"}),
    "always-no question, concept": (YES, {"question": "always no", "arm": "target"}),
    "names it among ten": ("named among ten", {"question": "choose", "arm": "target"}),
    "... another concept injected": ("named among ten", {"question": "choose", "arm": "another concept"}),
    "... after an always-no question": ("named among ten", {"question": "choose, always no", "arm": "target"}),
    "claims first, then names it freely": ("claims first, then names it", {"arm": "target"}),
}
EFFECTS = {
    "beyond random and always-no (primary)": (PRIMARY, {}),
    "beyond random directions": ("yes beyond random directions", {}),
    "the same on always-no questions": ("yes beyond random directions, always-no questions", {}),
    "beyond the concept as text": ("yes beyond the concept as text", {}),
    "beyond random, at equal entropy": ("yes beyond random directions at equal entropy", {}),
    "yes per nat of entropy": ("yes per nat of entropy", {}),
    "d', against random directions": ("d'", {"against": "random_direction"}),
    "criterion, against random directions": ("criterion", {"against": "random_direction"}),
    "new tokens alone": ("detected, by place", {"injected into": "new tokens"}),
    "question and new tokens": ("detected, by place", {"injected into": "both"}),
    "an earlier turn (cache alone)": ("detected, by place", {"injected into": "an earlier turn (cache alone)"}),
    "informed prompt": ("detected, by place", {"injected into": "the question, informed"}),
    "which of four sentences (chance .25)": ("finds the sentence", {"arm": "target"}),
    "... random directions": ("finds the sentence", {"arm": "random_direction"}),
    "... rise of its share beyond random": ("finds the sentence: rise of its share beyond random", {}),
    "which of two is stronger (chance .5)": ("finds the stronger one", {"arm": "target"}),
    "... rise of its share beyond random ": ("finds the stronger one: rise of its share beyond random", {}),
    "about this word beyond another": ("about this word beyond another", {}),
    "meant it, word injected, beyond no push": ("meant it, with the word injected before, beyond no push", {}),
    "named beyond another concept": ("named beyond another concept", {}),
    "named beyond an unrelated question": ("named beyond an unrelated question", {}),
    "thinks of it when asked to (cosine)": ("thinks of it when asked to", {}),
}


def main(folders: Sequence[str]) -> None:
    """Write the tables of all models of these runs, in the order given."""
    found: dict[str, Findings] = {}
    for folder in folders:
        findings = Run.open(Path(folder)).findings
        found |= dict.fromkeys(findings.verdicts, findings)
    models = list(found)
    short = [model.removeprefix("organism:") for model in models]
    _replace("rates", [["says yes", *short], *_lines(RATES, models, found)])
    _replace("effects", [["share of yes", *short], *_lines(EFFECTS, models, found)])
    verdicts = [
        [name, found[model].verdicts[model], *_reached(model, found[model])]
        for name, model in zip(short, models, strict=True)
    ]
    head = ["model", "verdict", "primary", "minimum detectable effect"]
    _replace("verdicts", [head, *verdicts])


def _reached(model: str, findings: Findings) -> list[str]:
    estimate = findings.estimate(PRIMARY, model=model)
    effect = visible(estimate)
    return [_told(estimate), "" if effect is None else _number(effect)]


def _lines(
    wanted: dict[str, tuple[str, dict[str, str]]], models: Sequence[str], found: dict[str, Findings]
) -> list[list[str]]:
    return [
        [label, *(_told(found[model].estimate(measure, model=model, **where)) for model in models)]
        for label, (measure, where) in wanted.items()
    ]


def _told(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-" if estimate.method == "not measured" else "cannot tell"
    if not estimate.known:
        return _number(estimate.value)
    return f"{_number(estimate.value)} [{_number(estimate.low or 0.0)}, {_number(estimate.high or 0.0)}]"


def _number(value: float) -> str:
    """Without the zero before the point, and no minus before nothing."""
    text = f"{value:.2f}"
    text = "0.00" if float(text) == 0 else text
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def _replace(name: str, table: Sequence[Sequence[str]]) -> None:
    start, stop = f"<!-- {name}: written by python -m benchmarks.injected_concepts -->", f"<!-- end of {name} -->"
    lines = [f"| {' | '.join(line)} |" for line in table]
    lines.insert(1, "|---" * len(table[0]) + "|")
    page = PAGE.read_text(encoding="utf-8")
    text = "\n".join(lines)
    new = re.sub(
        re.escape(start) + ".*?" + re.escape(stop), lambda _: f"{start}\n{text}\n{stop}", page, flags=re.DOTALL
    )
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
