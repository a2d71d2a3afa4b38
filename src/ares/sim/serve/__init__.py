"""A market data server for rehearsal: stored candles behind the protocols of real venues."""
