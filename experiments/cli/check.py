"""introlab check: what can be asked of a model, before anything is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments import discover
from experiments.cli.loading import LoadsModel
from introlab.io.terminal import say, tell


@dataclass(frozen=True)
class CheckModel(LoadsModel):
    """What can be asked of a model: replies, shares read, ways of asking how sure it is. Two minutes; kept.

    A second call answers at once from what was kept, unless weights, template, materials or the lab's code for it have
    changed."""

    materials: Path | None = None
    """A folder with questions.jsonl, topics.json and wording.json to ask with."""
    again: bool = False
    """Ask anew, whatever was kept."""
    batch_size: int = 64
    json: bool = False

    def __call__(self) -> int:
        from experiments.shared.check_page import check_text
        from experiments.shared.model_check import feasible, model_check
        from introlab.experiment.context import RunContext
        from introlab.tasks.materials import materials_for

        model = self.load()
        bench = RunContext(model, materials_for(model, self.materials), batch_size=self.batch_size)
        check = model_check(bench, again=self.again, tell=tell)
        found = feasible(check, bench.materials, [kind() for _, kind in sorted(discover().items())])
        if self.json:
            say(json.dumps({**check.as_json(), "experiments": [asdict(each) for each in found]}))
        else:
            say(check_text(check, found))
        return 0
