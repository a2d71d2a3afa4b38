"""Evidence on ensembles, verdicts and comparisons."""
