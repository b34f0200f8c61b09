"""A made-up run whose texts have known answers, for judges to judge."""

from introlab.records.run import Run
from introlab.records.trial import Trial


def trials():
    """40 scenes without and with a push. The push makes odd scenes announce; the experiment recorded scene 1 wrongly.
    Scene 39 cannot be judged."""
    for n in range(40):
        for condition in ("baseline", "push"):
            announces = condition == "push" and n % 2 == 1
            course = "announces" if announces else "rambles" if condition == "push" else "is plain"
            yield Trial(
                experiment="made_up",
                model="organism:resistant",
                item=f"scene {n}",
                cluster=f"scene {n}",
                split="test",
                condition=condition,
                strength=1.5 * (condition == "push"),
                prompt=f"describe {n}",
                text=f"text {n} {course}",
                tokens=(1, 2),
                outcomes={"announced": announces and n != 1, "concept": "king"},
            )
    yield Trial(
        experiment="made_up", model="organism:resistant", item="x", cluster="x", split="test", condition="damage"
    )
    yield Trial(
        experiment="made_up",
        model="organism:resistant",
        item="y",
        cluster="y",
        split="extract",
        condition="push",
        tokens=(1,),
    )


def made_up_run(folder, of=None):
    """A complete run of these trials."""
    models = {"organism:resistant": {"family": "x", "materials": "none"}}
    run = Run.create(folder, {"specs": ["organism:resistant"], "models": models, "materials": None})
    run.record(trials() if of is None else of)
    run.settle()
    run.finish()
    return run
