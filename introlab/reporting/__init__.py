"""Findings for people: tables, figures, reports, transcripts. From run folders alone: no torch."""
