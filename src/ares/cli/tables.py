"""Tables that fit the terminal: columns where they have room, else a block for each row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ares.cli.formatting import number

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMN_GAP = 3
"""Blanks between two columns; 1 where the terminal is narrow."""

UNBROKEN_MAX = 32
"""In a block, a name with its value is not wrapped up to this length."""

NO_BREAK = "\u00a0"

_KEY = re.compile(r"\b([a-z0-9]+:)([A-Z0-9.]+/[A-Z0-9.]+)")


def layout(columns: Sequence[str], rows: Sequence[Sequence[object]], width: int) -> RenderableType:
    """Return rows under their headings as a Rich renderable of at most ``width`` columns.

    Numbers are right-aligned; neither numbers nor words are broken. If the longest words of all
    columns do not fit side by side, every row becomes a block with its first cell as heading.
    """
    cells = [[cell(item).copy() for item in row] for row in rows]
    texts = [(name, *(row[i].plain for row in cells)) for i, name in enumerate(columns)]
    full = [max(map(_full_width, column)) for column in texts]
    for gap in (COLUMN_GAP, 1):  # narrow gaps before wrapped cells
        if sum(full) <= _room(width, gap, len(columns)):
            return _table(columns, cells, full, gap)
    for gap, keys_broken in ((COLUMN_GAP, False), (1, False), (1, True)):
        if keys_broken:  # binance:BTC/USDT on two lines
            for row in cells:
                for text in row:
                    text.plain = _KEY.sub(r"\1\n\2", text.plain)
            texts = [(name, *(row[i].plain for row in cells)) for i, name in enumerate(columns)]
        widths = _widths(texts, _room(width, gap, len(columns)))
        if widths is not None:
            return _table(columns, cells, widths, gap)
    return _blocks(columns, [[cell(item) for item in row] for row in rows])


def _room(width: int, gap: int, n_columns: int) -> int:
    return width - gap * n_columns - (1 if gap == 1 else 0)


def _full_width(text: str) -> int:
    return max(map(len, text.split("\n")))


def _widths(texts: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return the width of each column; None if not even the longest words fit.

    texts : per column the heading, then its cells. If not all columns fit at full width, the
            widest ones are reduced to one common width, and the others keep theirs.
    """
    least = [max(map(_min_width, column)) for column in texts]
    full = [max(map(_full_width, column)) for column in texts]
    if sum(least) > room:
        return None
    level = max(full, default=0)
    while sum(widths := _capped(least, full, level)) > room:
        level -= 1
    return widths


def _capped(least: Sequence[int], full: Sequence[int], level: int) -> list[int]:
    return [max(low, min(high, level)) for low, high in zip(least, full, strict=True)]


def cell(item: object) -> Any:
    """Return a cell as Rich text; None is a dash."""
    from rich.text import Text

    if isinstance(item, Text):
        return item
    if isinstance(item, bool):
        return Text("yes" if item else "no")
    if isinstance(item, float):
        return Text(number(item, 4))
    return Text("–" if item is None else str(item))


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], widths: Sequence[int], gap: int
) -> RenderableType:
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap // 2, 0, 0) if gap < 2 else (0, 1)
    )
    for i, name in enumerate(columns):
        numeric = all(_is_number(row[i].plain) for row in rows) and bool(rows)
        table.add_column(
            name,
            justify="right" if numeric else "left",
            overflow="fold",
            width=widths[i],
        )
    for row in rows:
        table.add_row(*row)
    return table


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> RenderableType:
    """Return a block for each row: the first cell, then ``heading value`` for all others."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    lines: list[RenderableType] = [] if rows else [Text(" · ".join(columns))]
    for row in rows:
        facts = []
        for name, text in zip(columns[1:], row[1:], strict=True):
            fact = f"{name} {text.plain}".strip()
            facts.append(fact.replace(" ", NO_BREAK) if len(fact) <= UNBROKEN_MAX else fact)
        lines.append(Text(row[0].plain, style="bold"))
        lines.append(Padding(Text(f"{NO_BREAK}· ".join(facts)), (0, 0, 0, 2)))
    return Group(*lines)


def _min_width(text: str) -> int:
    """Return the minimum width of a text: all of a number, else the longest word."""
    words = [text] if _is_number(text) else text.split()
    return max(map(len, words), default=0)


def _is_number(text: str) -> bool:
    if text == "–":
        return True
    try:
        float(text.strip().rstrip("%").replace(",", ""))
    except ValueError:
        return False
    return True
