"""News out of an RSS or Atom feed: fetched with limits, read by feedparser within limits."""

from __future__ import annotations

import html
import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit
from xml.parsers import expat

from ares import __version__
from ares.adapters.news_text import one_line
from ares.domain.errors import ExternalError, UserError

BYTES_MAX = 8 * 1024 * 1024
TIMEOUT_S = 15.0
READ_S = 60.0
"""An ordinary feed of 8 MB takes five seconds."""


def check_address(url: str) -> None:
    """Raise UserError where this cannot be the address of a feed."""
    try:
        parts = urlsplit(url)
        fit = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        fit = fit and parts.username is None
        (parts.hostname or "").encode("idna")
    except ValueError:
        fit = False
    if not fit or not url.isascii() or not url.isprintable() or " " in url:
        raise UserError(
            f"{one_line(url)}: no address of a feed: write http:// or https:// and a host, in "
            "ASCII (%20 for a space), without a password"
        )


def fetch_feed(url: str, timeout_s: float = TIMEOUT_S, bytes_max: int = BYTES_MAX) -> bytes:
    """Return the feed's bytes; raise ExternalError where it does not answer, or with too much.

    timeout_s : that a server may be silent, and that its answer may last; twice that for all.
    """
    check_address(url)
    request = urllib.request.Request(url, headers={"User-Agent": f"ares/{__version__}"})
    line = _FetchSockets()
    end = threading.Timer(2.0 * timeout_s, line.cut)
    end.start()
    try:
        with _opener(line).open(request, timeout=timeout_s) as answer:
            content = _read(answer, bytes_max, timeout_s)
            length = answer.headers.get("Content-Length", "")
    except urllib.error.HTTPError as error:
        error.close()
        raise ExternalError(
            f"{url} answers {error.code} {one_line(str(error.reason))}: try again later"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        # ValueError: a redirect to an invalid address
        if line.is_cut:  # how the other side ends then is chance
            raise _too_slow(url) from None
        reason = one_line(str(getattr(error, "reason", None) or error))
        raise ExternalError(
            f"{url} does not answer ({type(error).__name__}: {reason}): try again later"
        ) from None
    finally:
        end.cancel()
    if line.is_cut:
        raise _too_slow(url)
    if len(content) > bytes_max:
        raise _too_much(url, bytes_max)
    if length.isdigit() and len(content) < int(length):
        raise ExternalError(
            f"{url} closed the connection before the end of its answer: try again later"
        )
    return _unpacked(content, url, bytes_max)


def _too_slow(url: str) -> ExternalError:
    return ExternalError(f"{url} does not answer (too slow): try again later")


class _FetchSockets:
    """The sockets of one fetch, so that it can be ended: their own timeouts never end a server
    that sends a byte now and then.
    """

    def __init__(self) -> None:
        self.is_cut = False
        self._sockets: list[socket.socket] = []

    def add(self, connected: socket.socket) -> None:
        self._sockets.append(connected)

    def cut(self) -> None:
        """End whatever is being read, from another thread."""
        self.is_cut = True
        for connected in self._sockets:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


def _opener(line: _FetchSockets) -> urllib.request.OpenerDirector:
    """Return what opens http and https and nothing else, redirects included."""

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            line.add(self.sock)

    class Secure(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            line.add(self.sock)

    class Http(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, req)

    class Redirect(urllib.request.HTTPRedirectHandler):
        def http_error_302(
            self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any
        ) -> http.client.HTTPResponse | None:
            try:
                return super().http_error_302(req, fp, code, msg, headers)
            except ValueError:  # a redirect to an invalid address
                fp.close()
                raise

        http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    kinds: tuple[Callable[[], urllib.request.BaseHandler], ...] = (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        Http,
        Https,
        urllib.request.HTTPDefaultErrorHandler,
        Redirect,
        urllib.request.HTTPErrorProcessor,
    )
    opener = urllib.request.OpenerDirector()
    for kind in kinds:
        opener.add_handler(kind())
    return opener


def _read(answer: http.client.HTTPResponse, bytes_max: int, timeout_s: float) -> bytes:
    """Return the answer, at most one byte more than allowed; a trickle does not last for ever."""
    content, until_s = b"", time.monotonic() + timeout_s
    while len(content) <= bytes_max:
        part = answer.read1(min(65_536, bytes_max + 1 - len(content)))
        if not part:
            break
        content += part
        if time.monotonic() > until_s:
            raise TimeoutError("too slow")
    return content


def _unpacked(content: bytes, url: str, bytes_max: int) -> bytes:
    """Return the content as it was before a server packed it, unasked, with gzip."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        plain = zlib.decompressobj(wbits=31).decompress(content, bytes_max + 1)
    except zlib.error:
        raise ExternalError(f"{url} sends a damaged gzip: try again later") from None
    if len(plain) > bytes_max:
        raise _too_much(url, bytes_max)
    return plain


def _too_much(url: str, bytes_max: int) -> ExternalError:
    return ExternalError(f"{url} sends more than {bytes_max >> 20} MB: it is not a news feed")


def feed_items(content: bytes, name: str, timeout_s: float = READ_S) -> Iterator[dict[str, Any]]:
    """Yield each item's ``title`` and ``published`` (None where it has none), in the feed's order.

    Raises UserError where the bytes are no RSS, RDF or Atom feed; an empty feed yields nothing.
    timeout_s : that reading it may take.
    """
    if not content.strip():
        raise UserError(f"{name} is empty: no feed")
    content = content.lstrip()
    n_items = _require_feed(content, name)
    found = _read_items(content, name, timeout_s)
    if n_items and not found:
        raise UserError(f"{name} has items of no known kind of feed: no RSS, RDF or Atom feed")
    for title, published in found:
        plain = re.sub(r"<[^>]+>", " ", html.unescape(title))
        yield {"title": plain, "published": published}


def _read_items(content: bytes, name: str, timeout_s: float) -> list[tuple[str, str | None]]:
    """Return (title, published) of each item, read in a process that ends in time."""
    program = str(Path(__file__).with_name("feed_reader.py"))
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-W", "ignore", program],
            input=content,
            capture_output=True,
            timeout=timeout_s,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{name} takes longer than {timeout_s:g} s to read: it is not a news feed"
        ) from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        reason = one_line(lines[-1] if lines else f"exit code {error.returncode}")
        raise UserError(f"{name} cannot be read ({reason}): no RSS or Atom feed") from None
    return [(title, published) for title, published in json.loads(done.stdout)]


class _EntityDeclared(Exception):
    """The document declares entities, or refers to another document."""


def _require_feed(content: bytes, name: str) -> int:
    """Return how many items the document has; raise UserError where it is no well-formed feed."""
    root, n_items = "", 0

    def start(tag: str, _attributes: dict[str, str]) -> None:
        nonlocal root, n_items
        local = tag.rpartition("}")[2].lower()
        root = root or local
        n_items += local in {"item", "entry"}

    def refuse(*_: object) -> NoReturn:
        raise _EntityDeclared

    def undefined(entity: str, _is_parameter: bool) -> None:
        raise ValueError(f"undefined entity &{entity};")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = start
    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.SkippedEntityHandler = undefined
    try:
        parser.Parse(content, True)
    except _EntityDeclared:
        raise UserError(f"{name} defines entities: a feed of news has no need to") from None
    except (expat.ExpatError, ValueError, LookupError) as error:
        reason = one_line(str(error))
        raise UserError(f"{name} is no XML ({reason}): no RSS or Atom feed") from None
    if root not in {"rss", "rdf", "feed"}:
        raise UserError(f"{name} is XML, but no RSS or Atom feed: it begins with <{root[:40]}>")
    return n_items
