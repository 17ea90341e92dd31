"""Forecasts: held-out larger runs, how well their losses were forecast, and what such forecasts have held."""
