"""The gate's statistics: what luck alone would show, and the verdict on what was seen."""
