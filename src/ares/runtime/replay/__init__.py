"""Certify, re-step and explain: a run computed again."""
