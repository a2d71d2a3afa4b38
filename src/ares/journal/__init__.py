"""The append-only, hash-chained log: the authoritative record of a run."""
