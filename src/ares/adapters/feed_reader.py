"""Read a feed from standard input with feedparser, and write its items to standard output as JSON.

Run as a program of its own (see ``news_feed``): what feedparser does with a hostile feed may take
hours (its pattern of an author is quadratic in the length of the text), and only a process can be
stopped.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import suppress
from typing import Any

MEMORY_BYTES_MAX = 4 << 30


def main() -> None:
    """Write ``[[title, published], ...]``; ``published`` is the text as it stands, or None."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    json.dump(items(sys.stdin.buffer.read()), sys.stdout)


def items(content: bytes) -> list[tuple[str, str | None]]:
    """Return the title and the time of each item, both as text.

    The time is feedparser's text, never its parsed time: it takes an unknown zone for UTC.

    >>> items(b"<rss><channel><item><title>a</title><pubDate>noon</pubDate></item></channel></rss>")
    [('a', 'noon')]
    """
    import feedparser

    feed = feedparser.parse(io.BytesIO(content), sanitize_html=False, resolve_relative_uris=False)
    return [_item(dict(entry)) for entry in feed.entries]


def _item(entry: dict[str, Any]) -> tuple[str, str | None]:
    """Return one item; a plain dict, because feedparser's answers with another key and warns."""
    return entry.get("title", ""), entry.get("published") or entry.get("updated") or None


if __name__ == "__main__":
    main()
