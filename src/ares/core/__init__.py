"""The deterministic engine: step(state, event, scorers) -> effects."""
