"""News from files and feeds into the store: scored, bad items counted, one transaction a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from ares.adapters.lexicon import Lexicon, lexicon
from ares.adapters.news_feed import fetch_feed
from ares.adapters.news_files import feed_file, news_files, read_news
from ares.adapters.news_rows import NewsItem, NewsItemError, bases_of, item_of
from ares.adapters.table_files import FormatError, Table
from ares.domain.errors import ExternalError, UserError
from ares.domain.news import MARKET, NewsRow
from ares.domain.timeframe import DAY_MS
from ares.store.news import NewsStore

GIVEN = "file"
"""The scorer of scores that came with the news."""


class NewsImported(msgspec.Struct, frozen=True):
    """The import of one file or feed.

    items   : number of items; of these ``skipped`` were not used, by reason.
    new, same, differing, repeated : rows stored, stored before, stored before with another score
              (which was kept), twice in the file; an item about two currencies is two rows.
    dated   : items with a date and no time of day: they count from the end of that day.
    scored  : items scored by ``scorer``, the others brought their score.
    first_ms, last_ms : publications of what was used; None: nothing was.
    """

    name: str
    items: int
    skipped: dict[str, int]
    new: int
    same: int
    differing: int
    repeated: int
    dated: int
    scored: int
    scorer: str
    first_ms: int | None
    last_ms: int | None


class NewsReport(msgspec.Struct, frozen=True):
    """The import of files or feeds.

    skipped : names of files that hold no news.
    refused : (name, reason) of files or feeds that are bad; nothing of them was stored.
    """

    imported: tuple[NewsImported, ...]
    skipped: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


class NewsFormat(msgspec.Struct, frozen=True):
    """How the items of a file or feed are read.

    source  : name of the source; '': that of each item, else the file's name.
    about   : base currencies of all items; none: those of each item, else the market.
    scale   : the values that stand for -1 and for 1 among the scores.
    rescore : headlines are scored here, whatever scores came with them.
    """

    source: str = ""
    about: tuple[str, ...] = ()
    scale: tuple[float, float] | None = None
    rescore: bool = False


def import_news(
    store: NewsStore,
    path: Path,
    options: NewsFormat,
    now_ms: int,
    *,
    on_start: Callable[[int], None] = lambda _: None,
    on_file: Callable[[str], None] = lambda _: None,
) -> NewsReport:
    """Store the news of a file, or of every file of a folder (without its sub-folders).

    now_ms : news published later are refused.

    Raises UserError where a single file is bad or holds nothing usable, or a folder no news at
    all; a bad file among others is reported and stops nothing.
    """
    files, others = news_files(path)
    skipped = [file.name for file in others]
    imported, refused = [], []
    on_start(len(files))
    for file in files:
        try:
            name = file.name.split(".")[0]
            imported.append(_store_items(store, read_news(file), options, now_ms, name))
        except FormatError as error:
            if path.is_file():
                raise
            skipped.append(f"{error}")
        except UserError as error:
            if path.is_file():
                raise
            refused.append((file.name, str(error)))
        on_file(file.name)
    if not imported and not refused:
        raise UserError(f"{path}: none of its {len(skipped)} files holds news: check the path")
    return NewsReport(tuple(imported), tuple(skipped), tuple(refused))


def fetch_news(
    store: NewsStore,
    feeds: Sequence[tuple[str, str, str]],
    clock_ms: Callable[[], int],
    *,
    fetch: Callable[[str], bytes] = fetch_feed,
    on_feed: Callable[[str], None] = lambda _: None,
) -> NewsReport:
    """Store what is new in each feed; one that is broken is reported and stops no other.

    feeds    : (name, address, base currency that it is about or '').
    clock_ms : called after each answer: nothing in it was known before.
    """
    imported, refused = [], []
    for name, url, about in feeds:
        try:
            content = fetch(url)
            now_ms = clock_ms()
            options = NewsFormat(source=name, about=bases_of(about))
            items = feed_file(name, content)
            imported.append(_store_items(store, items, options, now_ms, name, now_ms))
        except (UserError, ExternalError) as error:
            refused.append((name, str(error)))
        on_feed(name)
    return NewsReport(tuple(imported), (), tuple(refused))


def _store_items(
    store: NewsStore,
    table: Table,
    options: NewsFormat,
    now_ms: int,
    default_source: str,
    received_ms: int | None = None,
) -> NewsImported:
    """Store what can be used of a file or feed.

    Raises UserError where it has items and none of them can be used.
    """
    skipped: Counter[str] = Counter()
    if table.broken:
        skipped["a line that is no JSON object"] = table.broken
    items = list(_items(table, options, now_ms, received_ms, skipped))
    if not items and skipped:
        reasons = "; ".join(f"{n:,} with {reason}" for reason, n in skipped.most_common())
        raise UserError(f"{table.name}: none of its items can be used: {reasons}")
    scorer, score = lexicon()
    rows = [row for item in items for row in _rows(item, options, default_source, scorer, score)]
    saved = store.save(rows)
    times = [item.published_ms for item in items]
    return NewsImported(
        name=table.name,
        items=len(table.rows) + table.broken,
        skipped=dict(skipped),
        new=saved.new,
        same=saved.same,
        differing=saved.differing,
        repeated=saved.repeated,
        dated=sum(item.dated for item in items),
        scored=sum(_to_be_scored(item, options) for item in items),
        scorer=scorer,
        first_ms=min(times, default=None),
        last_ms=max(times, default=None),
    )


def _items(
    table: Table, options: NewsFormat, now_ms: int, received_ms: int | None, skipped: Counter[str]
) -> Iterable[NewsItem]:
    for cells in table.rows:
        try:
            item = item_of(cells, table.fields, options.scale, rescore=options.rescore)
            _require_known(item, now_ms)
        except NewsItemError as fault:
            skipped[str(fault)] += 1
            continue
        yield item if received_ms is None else item._replace(received_ms=received_ms)


def _require_known(item: NewsItem, now_ms: int) -> None:
    """Raise NewsItemError where the item cannot be known yet."""
    if item.received_ms is not None and item.received_ms < item.published_ms:
        raise NewsItemError("a publication after its reception")
    if item.published_ms <= now_ms:
        return
    if item.dated and item.published_ms - now_ms <= DAY_MS:
        raise NewsItemError("today's date and no time of day: known when the day is over")
    raise NewsItemError("a publication in the future")


def _rows(
    item: NewsItem,
    options: NewsFormat,
    default_source: str,
    scorer: str,
    score: Lexicon,
) -> Iterable[NewsRow]:
    given = item.score
    if _to_be_scored(item, options) and item.headline is not None:
        given, by = score(item.headline), scorer
    else:
        by = GIVEN
    assert given is not None
    for scope in options.about or item.about or (MARKET,):
        yield NewsRow(
            item.published_ms,
            options.source or item.source or default_source,
            scope,
            given,
            by,
            item.headline,
            item.received_ms,
        )


def _to_be_scored(item: NewsItem, options: NewsFormat) -> bool:
    return item.headline is not None and (options.rescore or item.score is None)
