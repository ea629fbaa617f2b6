"""Evals: cases, scorers and experiments over runs. Nothing is here yet; a run's `trajectory` is what they will judge."""
