"""Decisions: what to train with a budget, what a wrong choice costs, and what the answer rests on."""
