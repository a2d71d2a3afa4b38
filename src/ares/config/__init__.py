"""Frozen settings: YAML and .env in, values with units out."""
