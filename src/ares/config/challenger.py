"""The settings of the rollout: how an ensemble comes to money while the engine runs, and leaves."""

from __future__ import annotations

from ares.config.fields import Probability, Section, key


class ChallengerSettings(Section):
    """From shadow to canary to champion, and back by itself when the evidence turns."""

    shadow_hours: float = key(
        24.0, "A challenger makes virtual trades for so long before it is a canary.", "hours", ge=0
    )
    canary_hours: float = key(
        72.0, "A canary trades beside the champion for so long before it is champion.", "hours",
        ge=0,
    )  # fmt: skip
    canary_share: float = key(
        0.25, "A canary's share of a trade's size; the champion has the rest.", "fraction",
        gt=0, lt=1,
    )  # fmt: skip
    confidence_min: Probability = key(
        0.10, "A champion or challenger whose mode confidence is below this is taken out.",
        "probability",
    )  # fmt: skip
    false_alarm_trades: float = key(
        1_000.0,
        "A champion that earns nothing makes so many trades, on average, until the test for a "
        "turned edge takes it out by chance.",
        "trades",
        gt=1,
    )
    alpha_worse: float = key(
        0.05, "Chance allowed of ever calling a canary that is as good as the champion worse.",
        "probability", gt=0, lt=1,
    )  # fmt: skip
