"""One file per outside world."""
