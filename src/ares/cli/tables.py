"""Tables that fit the terminal: columns where they have room, else a block for each row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ares.cli.formatting import number

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMN_GAPS = (3, 2, 1)
"""Blanks between two columns, on terminals from wide to narrow."""

UNBROKEN_MAX = 32
"""In a block, a name with its value is not wrapped up to this length."""

NO_BREAK = "\u00a0"

_KEY = re.compile(r"\b([a-z0-9]+:|\w[\w-]*_[\w-]+/)([A-Z0-9.]+/[A-Z0-9.]+|\d{8}_\w+)")
"""Where long names are broken: behind the venue of a key, and before the version of a package."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d)")


def layout(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    width: int,
    optional: Sequence[str] = (),
) -> RenderableType:
    """Return rows under their headings as a Rich renderable of at most ``width`` columns.

    Numbers are right-aligned; neither numbers nor words are broken. If the longest words of all
    columns do not fit side by side, the ``optional`` columns are left out from the first on, as
    few as possible, and named below the table. If the others do not fit either, every row becomes
    a block with its first cell as heading, and nothing is left out.
    """
    order = [columns.index(name) for name in optional]
    for whole_times in (True, False):
        for n_out in range(len(order) + 1):
            shown = [i for i in range(len(columns)) if i not in order[:n_out]]
            kept = [[row[i] for i in shown] for row in rows]
            table = _fitted([columns[i] for i in shown], kept, width, whole_times)
            if table is not None:
                out = [name for name in columns if name in optional[:n_out]]
                return _with_note(table, out) if out else table
    return _blocks(columns, [[cell(item) for item in row] for row in rows])


def _fitted(
    columns: Sequence[str], rows: Sequence[Sequence[object]], width: int, whole_times: bool
) -> RenderableType | None:
    """Return a table, unwrapped if a smaller gap makes that possible; None if words would break.

    whole_times : a date and its time of day are one word.
    """
    cells = [[cell(item).copy() for item in row] for row in rows]
    texts = _texts(columns, cells, whole_times)
    full = sum(max(map(_full_width, column)) for column in texts)
    unwrapped = [gap for gap in COLUMN_GAPS if full <= _room(width, len(columns), gap)]
    for gap in (*unwrapped[:1], *COLUMN_GAPS):
        widths = _widths(texts, _room(width, len(columns), gap))
        if widths is not None:
            return _table(columns, cells, widths, gap)
    for row in cells:  # binance:BTC/USDT on two lines
        for text in row:
            text.plain = _KEY.sub(r"\1\n\2", text.plain)
    texts = _texts(columns, cells, whole_times)
    widths = _widths(texts, _room(width, len(columns), COLUMN_GAPS[-1]))
    return None if widths is None else _table(columns, cells, widths, COLUMN_GAPS[-1])


def _texts(
    columns: Sequence[str], cells: Sequence[Sequence[Any]], whole_times: bool
) -> list[tuple[str, ...]]:
    """Return the texts of each column, as they are measured: its heading, then its cells."""
    texts = [(name, *(row[i].plain for row in cells)) for i, name in enumerate(columns)]
    if not whole_times:
        return texts
    return [tuple(_TIME.sub(r"\1_\2", text) for text in column) for column in texts]


def _room(width: int, n_columns: int, gap: int) -> int:
    """Return the width that is left for the cells: a gap belongs to every column."""
    return width - gap * n_columns - (1 if gap < COLUMN_GAPS[0] else 0)


def _with_note(table: RenderableType, left_out: Sequence[str]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    names = ", ".join(left_out)
    return Group(table, Text(f"not shown at this width: {names} (or --json)", style="dim"))


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
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0) if gap < COLUMN_GAPS[0] else (0, 1),
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


def _full_width(text: str) -> int:
    return max(map(len, text.split("\n")))


def _min_width(text: str) -> int:
    """Return the minimum width of a text: all of a number, else the longest word."""
    words = [text] if _is_number(text) else text.split()
    return max(map(len, words), default=0)


def _is_number(text: str) -> bool:
    if text == "–":
        return True
    if "_" in text:  # an id, which Python would read as a number
        return False
    try:
        float(text.strip().rstrip("%").replace(",", "").replace("\u2212", "-"))
    except ValueError:
        return False
    return True
