"""Splits: the runs that a budget and its limits allow, and the best split of compute into N and D."""
