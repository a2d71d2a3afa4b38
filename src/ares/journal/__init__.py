"""The append-only, hash-chained log that is the truth of a run."""
