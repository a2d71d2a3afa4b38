"""The numeric core: features (bars to numbers) and trade (scores to orders and money)."""
