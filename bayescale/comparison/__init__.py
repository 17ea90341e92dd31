"""Comparison: which laws predict better, by which cross-validation, and what that says of compute alone."""
