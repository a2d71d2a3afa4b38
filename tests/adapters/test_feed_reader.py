"""The reader of feeds: titles and times as they are written; a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from ares.adapters import feed_reader

FEED = b"""<feed xmlns="http://www.w3.org/2005/Atom"><updated>2020-01-01T00:00:00Z</updated>
<entry><title>a</title><source><updated>2019-01-01T00:00:00Z</updated></source></entry>
<entry><title>b</title><published/><updated>2024-09-12 08:00 XYZ</updated></entry></feed>"""


def test_a_time_is_the_text_of_the_feed_and_no_other_time_replaces_it() -> None:
    """feedparser's parsed times would take an unknown zone for UTC."""
    assert feed_reader.items(FEED) == [("a", None), ("b", "2024-09-12 08:00 XYZ")]


def test_the_time_of_publication_is_preferred_to_that_of_an_update() -> None:
    both = b"<published>noon</published><updated>night</updated>"
    feed = b'<feed xmlns="http://www.w3.org/2005/Atom"><entry>' + both + b"</entry></feed>"
    assert feed_reader.items(feed) == [("", "noon")]


def test_the_program_needs_nothing_of_ares_and_writes_json() -> None:
    """It runs isolated (-I): without the folder of Ares on its path, and no site configuration."""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", feed_reader.__file__],
        input=FEED,
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert json.loads(done.stdout) == [["a", None], ["b", "2024-09-12 08:00 XYZ"]]
    assert done.stderr == b""
