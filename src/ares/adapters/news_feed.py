"""News out of an RSS or Atom feed: fetched with limits, parsed without entities."""

from __future__ import annotations

import html
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from ares import __version__
from ares.domain.errors import UserMistake, WorldTrouble

BYTES_MAX = 8 * 1024 * 1024
TIMEOUT_S = 15.0
TIMES = ("pubdate", "published", "date", "updated")
"""Names of an item's time, the surest first: RSS, Atom, Dublin Core, Atom again."""


def fetch_feed(url: str, timeout_s: float = TIMEOUT_S, bytes_max: int = BYTES_MAX) -> bytes:
    """Return the feed's bytes; raise WorldTrouble where it does not answer, or with too much."""
    if not re.match(r"https?://[^\s/]+", url):
        raise UserMistake(f"{url}: no address of a feed: write http:// or https://")
    request = urllib.request.Request(url, headers={"User-Agent": f"ares/{__version__}"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            content = _read(answer, bytes_max, timeout_s)
            length = answer.headers.get("Content-Length", "")
    except urllib.error.HTTPError as error:
        error.close()
        raise WorldTrouble(f"{url} answers {error.code} {error.reason}: try again later") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise WorldTrouble(
            f"{url} does not answer ({type(error).__name__}: {reason}): try again later"
        ) from None
    if len(content) > bytes_max:
        raise WorldTrouble(f"{url} sends more than {bytes_max >> 20} MB: that is no feed of news")
    if length.isdigit() and len(content) < int(length):
        raise WorldTrouble(f"{url} broke off its answer: try again later")
    return content


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


def feed_items(content: bytes, name: str) -> Iterator[dict[str, Any]]:
    """Yield each item's ``title`` and ``published`` (None where it has none), in the feed's order.

    Raises UserMistake where the bytes are no RSS, RDF or Atom feed; an empty feed yields nothing.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    if not content.strip():
        raise UserMistake(f"{name} is empty: no feed")
    try:
        root = fromstring(content, forbid_dtd=False)
    except DefusedXmlException as error:
        raise UserMistake(
            f"{name} defines entities ({type(error).__name__}): a feed of news has no need to"
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise UserMistake(f"{name} is no XML ({error}): no RSS or Atom feed") from None
    if _tag(root) not in {"rss", "rdf", "feed"}:
        raise UserMistake(f"{name} is XML, but no RSS or Atom feed: it begins with <{_tag(root)}>")
    for node in root.iter():
        if _tag(node) in {"item", "entry"}:
            yield _item(node)


def _item(node: Element) -> dict[str, Any]:
    found: dict[str, str] = {}
    for child in node:
        text = "".join(child.itertext()).strip()
        if text:
            found.setdefault(_tag(child), text)
    time = next((found[name] for name in TIMES if name in found), None)
    title = re.sub(r"<[^>]+>", " ", html.unescape(found.get("title", "")))
    return {"title": title, "published": time}


def _tag(node: Element) -> str:
    """Return an element's name without its namespace, in small letters."""
    return str(node.tag).rpartition("}")[2].lower()
