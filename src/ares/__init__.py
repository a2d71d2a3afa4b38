"""Ares takes a machine-learned trading model from training to real money, and keeps it there."""

__version__ = "0.1.0"
