"""The nouns of Ares, as frozen values: standard library and msgspec only."""
