"""The settings of challengers: how an ensemble becomes champion during a run, and is removed."""

from __future__ import annotations

from ares.config.fields import Probability, Section, key


class ChallengerSettings(Section):
    """Challengers: stages shadow, canary, champion; removal when evidence turns against them."""

    shadow_hours: float = key(
        24.0,
        "Time as shadow, with virtual trades only, before a challenger becomes a canary.",
        "hours",
        ge=0,
    )
    canary_hours: float = key(
        72.0,
        "Time as canary, trading a share of the size, before it becomes the champion.",
        "hours",
        ge=0,
    )
    canary_share: float = key(
        0.25,
        "Share of a trade's size given to the canary; the champion trades the rest.",
        "fraction",
        gt=0,
        lt=1,
    )
    confidence_min: Probability = key(
        0.10,
        "A champion or challenger with a mode confidence below this is removed.",
        "probability",
    )
    false_alarm_trades: float = key(
        1_000.0,
        "Mean number of trades until the test for a lost edge removes, by chance, a champion whose "
        "expected net return is zero.",
        "trades",
        gt=1,
    )
    alpha_worse: float = key(
        0.05,
        "Probability of ever judging a canary worse although it is as good as the champion.",
        "probability",
        gt=0,
        lt=1,
    )
