"""Designs: which runs to train, what simulated ones would show, and what they could identify."""
