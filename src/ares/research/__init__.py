"""Backtests and their reports: what a notebook imports."""
