"""How each kind of figure is computed, in the words that stand beside it."""

from __future__ import annotations

WALK_FORWARD = (
    "walk-forward: every decision is scored by a model fitted on earlier rows only; trades do not "
    "overlap; no account, no limits"
)
VERDICT = (
    "simulated account: out-of-sample scores, traded with the sizes, stops and costs of the "
    "settings, without breakers and loss limits"
)
COMPARISON = (
    "simulated account, as in a verdict, but only over the bars on which both models are out of "
    "sample: other models, other bars"
)
