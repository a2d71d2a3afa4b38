"""The domain's values, immutable: standard library and msgspec only."""
