"""Faults caused for real, and what came of them: `python -m benchmarks.faults`."""
