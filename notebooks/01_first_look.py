# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A first look: load, read, steer, see
#
# The model here is tiny and trained from scratch, so we know what is in it: people with a favourite colour, sums,
# topics with words of their own. Everything below works on any other model, too: give `load` a folder or a hub id.

# %%
from introlab.activations.directions import random_control
from introlab.activations.extract import read
from introlab.activations.forward import Text
from introlab.generation.requests import Request
from introlab.generation.sampling import Sampling
from introlab.generation.scheduler import generate
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.records.findings import Row
from introlab.reporting import figures
from introlab.stats.estimates import mean
from introlab.tasks.materials import materials_for
from probes.text.topic_drift import read_drift
from steering.contrast import one_vs_rest_from_texts
from steering.edits import Add
from steering.strength import Dose, typical_norm

model = load("organism:compliant")
materials = materials_for(model)
model

# %% [markdown]
# ## Load: ask it something


# %%
def ask(question, *pushes, item="first look", temperature=0.0):
    request = Request(
        tuple(model.ids([user(question)])), item, interventions=pushes, max_new=40, sampling=Sampling(temperature)
    )
    ((_, written),) = generate(model, [request], seed=0)
    return written


for question in ("what is the last digit of 3 + 8 + 5 ?", "who are you ?", "tell me about the castle ."):
    print(question, "->", model.text(ask(question).tokens))

# %% [markdown]
# ## Read: where in the model does it know what it talks about?
#
# We let it explain four topics, read the residual stream at the end of each text, and ask at every layer how far texts
# of one topic stand from the others.

# %%
topics = ["kitchen", "school", "library", "desert"]
texts, labels = [], []
for topic in topics:
    for turn in range(8):
        prompt = tuple(model.ids([user(f"tell me about the {topic} .")]))
        request = Request(prompt, f"{topic} {turn}", max_new=40, sampling=Sampling(0.7))
        ((_, written),) = generate(model, [request], seed=0)
        texts.append(Text.written(prompt, written.tokens, f"{topic} {turn}"))
        labels.append(topic)

sites = [Site(layer) for layer in range(model.n_layers)]
activations = read(model, texts, sites, [[len(text.ids) - 1] for text in texts])
activations[sites[2], 0]

# %%
rows = []
for site in sites:
    direction = one_vs_rest_from_texts(model, texts, labels, site)["school"]
    position = direction.projection(activations[site, 0].values) / direction.scale
    for name, wanted in (("school texts", True), ("other texts", False)):
        values = [float(value) for value, label in zip(position, labels, strict=True) if (label == "school") == wanted]
        estimate = mean(
            values, [text.example for text, label in zip(texts, labels, strict=True) if (label == "school") == wanted]
        )
        rows.append(Row(name, {"layer": float(site.layer)}, estimate))

lines = {name: [row for row in rows if row.measure == name] for name in ("school texts", "other texts")}
figures.curves(
    lines,
    "layer",
    title="Texts about the school stand apart",
    x="layer",
    y="position along the direction",
    y_range=None,
)

# %% [markdown]
# ## Steer: push it towards the school while it explains the castle
#
# Every steered text comes with a receipt: which positions were touched, and by how much.

# %%
direction = one_vs_rest_from_texts(model, texts, labels, Site(2))["school"]
norm = typical_norm(model, texts, Site(2))


def push(strength, along=direction):
    return Intervention(Add(along, Dose.of(along, natural=strength, residual_norm=norm)), along.site, Span.generated())


pushed = ask("describe the castle .", push(2.0))
print(model.text(pushed.tokens))
pushed.receipts[0]

# %% [markdown]
# ## See: how strong must the push be, and would any push do?
#
# A random direction of the same length is the control that tells a topic's push from a mere disturbance.

# %%
rows = []
for strength in (0.5, 1.0, 1.5, 2.0):
    for name in ("towards the school", "random direction"):
        shares, clusters = [], []
        for turn in range(12):
            along = direction if name == "towards the school" else random_control(direction, turn)
            written = ask("describe the castle .", push(strength, along), item=f"turn {turn}", temperature=0.7)
            drift = read_drift(model.text(written.tokens), "castle", materials)
            if drift.off_share is not None:
                shares.append(drift.off_share)
                clusters.append(str(turn))
        rows.append(Row(name, {"strength": strength}, mean(shares, clusters)))

lines = {name: [row for row in rows if row.measure == name] for name in ("towards the school", "random direction")}
figures.curves(
    lines, "strength", title="Share of words that left the castle", x="strength (natural units)", y="share off topic"
)

# %% [markdown]
# What next: `introlab demo` runs every experiment with its controls; `introlab run steering-resistance --model ...`
# points one at a model of your own.
