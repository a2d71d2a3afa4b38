"""Tables on a narrow terminal: no number and no name is broken, nothing is lost."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ares.cli.tables import layout

COLUMNS = ("package", "rows", "accuracy / base", "Brier skill", "net bps", "made")
ROWS = [
    ("binance_BTC-USDT_15m", "48,788", "77.5% / 77.5%", "-0.34%", "10.1", "2026-11-20 16:34"),
    ("binance_ETH-USDT_15m", "9,565", "64.5% / 64.5%", "-0.65%", None, "2026-11-20 16:35"),
]
CELLS = [str(cell) for row in ROWS for cell in row if cell is not None]


def shown(width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(layout(COLUMNS, ROWS, width))
    return out.getvalue()


def test_where_there_is_room_it_is_a_table() -> None:
    lines = [line for line in shown(120).splitlines() if line.strip()]
    assert lines[0].split() == " ".join(COLUMNS).split()
    assert len(lines) == 4
    assert all(cell in shown(120) for cell in CELLS)


def test_headings_and_texts_wrap_at_words_before_anything_is_broken() -> None:
    text = shown(80)
    assert "binance_BTC-USDT_15m" in text
    assert "accuracy" in text
    assert all(number in text for number in ("48,788", "-0.34%", "10.1"))
    assert "package" in text  # still a table
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
    assert "16:34" in text


@pytest.mark.parametrize("width", [40, 60])
def test_where_words_have_no_room_every_row_is_a_block(width: int) -> None:
    text = shown(width)
    lines = text.splitlines()
    assert "binance_BTC-USDT_15m" in [line.strip() for line in lines]
    assert all(len(line.rstrip()) <= width for line in lines)
    spaced = " ".join(text.replace("\u00a0", " ").split())
    assert all(cell in spaced for cell in CELLS)
    assert "net bps –" in spaced


def test_a_table_of_eight_columns_stays_one_at_80() -> None:
    """The venue of a key stands on a line of its own before a table becomes blocks."""
    columns = ("ensemble", "instrument", "anchor", "weights", "trades", "net bps", "status", "made")
    row = ("67b6c6460cc1", "simulated:ETH/USDT", "15m", "5m:0.20 15m:0.30 1h:0.30", "418", "11.3",
           "champion in history", "2026-11-28 11:31")  # fmt: skip
    out = io.StringIO()
    Console(file=out, width=80).print(layout(columns, [row], 80))
    text = out.getvalue()
    heading = next(line for line in text.splitlines() if "ensemble" in line)
    assert "instrument" in heading
    assert "status" in heading
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
    for word in ("67b6c6460cc1", "simulated:", "ETH/USDT", "15m:0.30", "11.3", "champion"):
        assert word in text


def test_no_rows_are_headings_alone() -> None:
    out = io.StringIO()
    Console(file=out, width=20).print(layout(COLUMNS, [], 20))
    assert "package" in out.getvalue().replace("\n", "")


def at(width: int, columns: tuple[str, ...], row: tuple[object, ...], **more: object) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(layout(columns, [row], width, **more))  # type: ignore[arg-type]
    return out.getvalue()


def test_a_smaller_gap_comes_before_a_wrapped_time() -> None:
    columns = ("instrument", "interval", "bars", "missing", "from", "to (UTC)")
    row = ("binance:BTC/USDT", "1h", "74,481", "127", "2017-08-17 04:00", "2026-02-19 20:00")
    assert "2017-08-17 04:00 2026-02-19 20:00" in " ".join(at(80, columns, row).split())
    assert all(len(line.rstrip()) <= 80 for line in at(80, columns, row).splitlines())


def test_a_narrow_terminal_leaves_out_what_is_optional_and_names_it() -> None:
    columns = ("run", "from", "to (UTC)", "state", "trades", "virtual", "net", "drawdown")
    row = ("a_run_of_a_long_name", "2024-06-01 00:00", "2024-07-01 00:00", "finished", "12", "3",
           "+1.25%", "2.10%")  # fmt: skip
    optional = ("virtual", "from")
    narrow = at(80, columns, row, optional=optional)
    assert "virtual" not in narrow.splitlines()[1]
    assert "2024-07-01 00:00" in narrow
    assert "not shown at this width: from, virtual (or --json)" in narrow
    assert all(len(line.rstrip()) <= 80 for line in narrow.splitlines())
    wide = at(200, columns, row, optional=optional)
    assert "not shown" not in wide
    assert "2024-06-01 00:00" in wide


def test_a_typographic_minus_is_of_a_number_and_an_id_is_none() -> None:
    lines = at(60, ("the id of it all", "a long heading"), ("20261128_1", "\u22121%")).splitlines()
    (row,) = [line for line in lines if "%" in line]
    assert row.startswith(" 20261128_1 "), "text on the left"
    assert len(row.rstrip()) == max(len(line.rstrip()) for line in lines if "heading" in line)
