"""Reads and reports; never touches the engine."""
