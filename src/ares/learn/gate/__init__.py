"""The gate's statistics: evidence on an ensemble, compared with luck and limits in a verdict."""
