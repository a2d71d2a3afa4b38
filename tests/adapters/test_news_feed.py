"""Feeds over a real loopback server: RSS, Atom, RDF, and everything that a server can do wrong."""

from __future__ import annotations

import gzip
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

import pytest

from ares.adapters.news_feed import feed_items, fetch_feed
from ares.domain.errors import ExternalError, UserError

RSS = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Wire</title>
<item><title>Bitcoin &amp;amp; <![CDATA[<b>friends</b> rise]]></title>
  <pubDate>Thu, 12 Sep 2024 08:00:30 GMT</pubDate></item>
<item><title>Second</title><dc:date>2024-09-12T09:00:00Z</dc:date></item>
<item><title>No time</title></item></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title>
<entry><title type="html">One</title><updated>2024-09-13T00:00:01Z</updated>
<published>2024-09-12T10:00:00+02:00</published></entry></feed>"""
RDF = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<item><title>Old</title><dc:date>2024-09-12</dc:date></item></rdf:RDF>"""
BOMB = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "ha"><!ENTITY c "&a;&a;&a;">]>
<rss><channel><item><title>&c;</title></item></channel></rss>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<rss><channel><item><title>&a;</title></item></channel></rss>"""


class Server(http.server.BaseHTTPRequestHandler):
    pages: ClassVar = {
        "/rss": RSS,
        "/empty": b"",
        "/page": b"<html><body>hello</body></html>",
        "/packed": gzip.compress(RSS),
        "/bomb": gzip.compress(b" " * 1_000_000),
        "/damaged": gzip.compress(RSS)[:10] + b"\xff" * 50,
    }
    sent_on: ClassVar = {
        "/moved": "/rss",
        "/loop": "/loop",
        "/file": "file:///etc/passwd",
        "/ftp": "ftp://127.0.0.1:9/rss",
        "/nowhere": "http://[::1",
        "/snowman": "http://127.0.0.1:9/\u2603",
    }

    def do_GET(self) -> None:
        if self.path == "/broken":
            self.send_error(500)
        elif self.path == "/slow":
            stopped.wait(5.0)
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            while not stopped.wait(0.1):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return
        elif self.path == "/heads":  # a header now and then, for ever
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not stopped.wait(0.1):
                try:
                    self.wfile.write(b"X-More: of it\r\n")
                except OSError:
                    return
        elif self.path == "/junk":
            self.wfile.write(b"\x1b[31mred\r\n\r\n")
        elif self.path in self.sent_on:
            self.send_response(302)
            self.send_header("Location", self.sent_on[self.path].encode().decode("latin-1"))
            self.end_headers()
        elif self.path == "/huge":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b" " * 4096)
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(RSS[:100])
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.pages[self.path])

    def log_message(self, *args: object) -> None:
        pass


stopped = threading.Event()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    stopped.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_rss_atom_and_rdf() -> None:
    assert list(feed_items(RSS, "rss")) == [
        {"title": "Bitcoin &  friends  rise", "published": "Thu, 12 Sep 2024 08:00:30 GMT"},
        {"title": "Second", "published": "2024-09-12T09:00:00Z"},
        {"title": "No time", "published": None},
    ]
    assert list(feed_items(ATOM, "atom")) == [
        {"title": "One", "published": "2024-09-12T10:00:00+02:00"}
    ]
    assert list(feed_items(RDF, "rdf")) == [{"title": "Old", "published": "2024-09-12"}]
    assert list(feed_items(b"<rss><channel/></rss>", "none")) == []
    assert list(feed_items(b"\n  " + RSS, "late")) == list(feed_items(RSS, "rss"))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"  \n", "is empty"),
        (b"not xml", "is no XML"),
        (RSS[:200], "is no XML"),
        (b"\x00\x01", "is no XML"),
        (b"<html></html>", "begins with <html>"),
        (BOMB, "defines entities"),
        (OUTSIDE, "defines entities"),
    ],
)
def test_what_is_no_feed_is_one_line(content: bytes, line: str) -> None:
    with pytest.raises(UserError, match=line) as caught:
        list(feed_items(content, "the feed"))
    assert "\n" not in str(caught.value)


def test_an_item_of_nothing_that_is_known_is_no_silent_loss() -> None:
    strange = b'<x:rss xmlns:x="urn:nobody"><x:item><x:title>x</x:title></x:item></x:rss>'
    with pytest.raises(UserError, match="items of no known kind"):
        list(feed_items(strange, "the feed"))


@pytest.mark.parametrize(
    "inside",
    [
        b"<author>" + b"a" * 4_000_000 + b"</author>",
        b"<title>t</title>" + b"<?p ?> " * 500_000,
    ],
    ids=["author", "instructions"],
)
def test_a_feed_made_to_take_hours_is_ended(inside: bytes) -> None:
    hostile = b"<rss><channel><item>" + inside + b"</item></channel></rss>"
    began = time.monotonic()
    with suppress(UserError):
        assert len(list(feed_items(hostile, "the feed", timeout_s=2.0))) == 1
    assert time.monotonic() - began < 20.0


def test_what_ends_a_slow_feed_is_one_line() -> None:
    author = b"<author>" + b"a" * 4_000_000 + b"</author>"
    hostile = b"<rss><channel><item>" + author + b"</item></channel></rss>"
    with pytest.raises(UserError, match=r"takes longer than 0\.5 s to read: it is not a news feed"):
        list(feed_items(hostile, "the feed", timeout_s=0.5))


def test_a_feed_is_fetched(address: str) -> None:
    assert fetch_feed(f"{address}/rss") == RSS
    assert fetch_feed(f"{address}/moved") == RSS
    assert fetch_feed(f"{address}/packed") == RSS
    assert fetch_feed(f"{address}/empty") == b""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/broken", "answers 500"),
        ("/slow", "does not answer"),
        ("/huge", "sends more than"),
        ("/cut", "closed the connection before the end of its answer"),
        ("/drip", "too slow"),
        ("/heads", "too slow"),
        ("/junk", "does not answer"),
        ("/loop", "answers 302"),
        ("/file", "not allowed"),
        ("/ftp", "unknown url type"),
        ("/nowhere", "does not answer"),
        ("/snowman", "does not answer"),
        ("/bomb", "sends more than"),
        ("/damaged", "damaged gzip"),
    ],
)
def test_a_broken_server_is_one_line(address: str, path: str, line: str) -> None:
    began = time.monotonic()
    with pytest.raises(ExternalError, match=line) as caught:
        fetch_feed(address + path, timeout_s=0.3, bytes_max=2048)
    assert str(caught.value).isprintable()
    assert time.monotonic() - began < 3.0


def test_nobody_listening_and_other_schemes() -> None:
    with pytest.raises(ExternalError, match="does not answer"):
        fetch_feed("http://127.0.0.1:9/feed", timeout_s=0.5)
    for url in (
        *("file:///etc/passwd", "ftp://host/feed", "feed", "http://", "http://[::1"),
        *("http://ex\u00e4mple.org/", "http://host/\u2603", "http://.", f"http://{'a' * 70}.com/"),
        *("http://host:99999/", "http://host:abc/", "http://a b/", "http://user:word@host/"),
    ):
        with pytest.raises(UserError, match="no address of a feed"):
            fetch_feed(url)
