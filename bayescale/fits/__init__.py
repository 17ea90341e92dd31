"""Fits: the model of a law on runs, its posterior, and what is computed with it."""
