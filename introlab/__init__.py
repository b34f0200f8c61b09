"""The instruments: what every experiment needs, and nothing about any one of them. Imports point one way through its
rooms: errors, io, {stats, network}, {tasks, records}, interventions, {reporting, generation, activations}, {experiment,
judges}."""

import os

# Two threads of OpenMP that wait actively starve each other, and everybody else, on a busy machine. It is read when
# torch loads its runtime, and every part of the lab imports this package before torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
