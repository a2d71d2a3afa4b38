"""Synthetic markets: price processes whose parameters are known."""
