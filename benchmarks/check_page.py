"""Writes docs/check.md: what `introlab check` says of a real chat model.

python -m benchmarks.check_page --model smollm2
"""

import argparse
from pathlib import Path

from experiments import discover
from experiments.shared.check_page import check_text
from experiments.shared.model_check import feasible, model_check
from introlab.experiment.context import RunContext
from introlab.network.model import load
from introlab.tasks.materials import materials_for

PAGE = Path(__file__).parents[1] / "docs" / "check.md"
TEXT = """# What can be asked of a model

    introlab check --model smollm2 [--materials FOLDER] [--json] [--again]

asks a model plainly, before anything is asked in earnest: questions of every kind and level (of the *extract* split: no
test question is seen), every way of asking how sure it is of the same answers, whether it goes back on an answer, and
texts about topics with nothing done to it. It says for each experiment whether the model can be asked that at its
default size, with which settings, or which entry of the [materials](materials.md) to change.

What was asked is kept in the cache (`$INTROLAB_CACHE`, else `introlab` in the user's cache folder), part by part, under
the fingerprint of the weights, the template as it writes a short dialogue, the materials, and the files of the lab that
ask and read; the next call answers at once. `--again` asks anew. A cache that cannot be written is a warning.

**Before a run.** `introlab run` asks for the parts that its experiment needs - of `confidence` the answers and the ways
of asking, of the reflection experiments whether it reconsiders, of the steering experiments the texts about topics -
and stops before anything is written where the experiment cannot be decided, naming the entry to change. `--anyway` runs
it all the same. Only what is clear from so few replies stops a run: where the greatest rate that the counts allow
(Clopper-Pearson, 95 %) is still too little. Model organisms are not asked: what they do is known from their training.

In Python: `check_model(model, materials)` of `experiments.shared.model_check` gives a `ModelCheck`
(`introlab/records/model_check.py`), which goes to JSON and back; `experiment.feasibility(check, materials)` says what
follows from it for an experiment at its settings.

## {model}

Written by `python -m benchmarks.check_page --model {model}`.
The time it states is of two cores that many other processes shared.

```text
{text}```
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    model = load(parser.parse_args().model, device="cpu")
    bench = RunContext(model, materials_for(model))
    check = model_check(bench)
    found = feasible(check, bench.materials, [kind() for _, kind in sorted(discover().items())])
    PAGE.write_text(TEXT.format(model=model.name, text=check_text(check, found)), encoding="utf-8")


if __name__ == "__main__":
    main()
