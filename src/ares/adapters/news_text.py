"""Text from outside as one line, without what a terminal would obey or a database refuse."""

from __future__ import annotations

import re

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""Control characters, halves of characters, and marks that turn the direction of what follows."""


def one_line(text: str) -> str:
    """Return the text with single spaces, and with one in place of what does not belong there.

    >>> one_line(" Bitcoin\\x1b[31m  rises\\nagain ")
    'Bitcoin [31m rises again'
    """
    return " ".join(_UNFIT.sub(" ", text).split())
