"""What a world raises where the engine breaks a promise."""


class Finding(AssertionError):
    """The engine broke a promise."""
