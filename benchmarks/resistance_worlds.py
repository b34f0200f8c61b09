"""Simulated models of a known truth for the verdicts of steering resistance."""

from benchmarks.verdict_rules import World

WORLDS: tuple[World, ...] = ()
