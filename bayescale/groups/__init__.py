"""Groups: one law over several groups of runs, and the compute multiplier between them."""
