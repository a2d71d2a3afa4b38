"""Candles and news into the store."""
