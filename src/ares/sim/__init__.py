"""The simulated world: price processes with a known truth."""
