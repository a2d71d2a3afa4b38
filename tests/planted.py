"""What a test's settings say of an edge that is planted so strongly that few bars show it."""

from __future__ import annotations

TOO_GOOD = {"plausible_brier_skill_max": 0.99, "plausible_sharpe_max": 100.0}
"""Limits of ``promotion`` that such an edge keeps; those of the defaults refuse it."""
