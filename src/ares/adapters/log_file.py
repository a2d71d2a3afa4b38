"""A log file of lines with their time, bounded in size: it runs for months."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

BYTES_MAX = 10_000_000
FILES_KEPT = 5


class _Handler(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - of the base
        """Lose the line."""
        del record


@contextmanager
def log_lines(path: Path, bytes_max: int = BYTES_MAX) -> Iterator[Callable[[str], None]]:
    """Give a function that appends a line, with its UTC time; may be called from any thread.

    A disk that is full, or a folder that is gone, loses lines and raises nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _Handler(path, maxBytes=bytes_max, backupCount=FILES_KEPT, delay=True)
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger = logging.Logger(f"lines of {path}", logging.INFO)
    logger.addHandler(handler)
    try:
        yield logger.info
    finally:
        handler.close()
