"""Output of the command line: tables, JSON, progress, and errors as one line.

Results go to stdout; progress, remarks and errors go to stderr, so that ``ares ... --json | jq``
works. Rich is imported only where it is used, so that ``ares --help`` stays fast.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from threading import Lock, Timer
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

import typer

from ares.cli.formatting import amount, count, duration, number, percent, some, utc
from ares.cli.tables import cell, layout
from ares.domain.utc import utc_iso

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

__all__ = [
    "JSON_OPTION",
    "ProgressBar",
    "amount",
    "console",
    "count",
    "duration",
    "error_line",
    "note",
    "number",
    "percent",
    "plain",
    "print_facts",
    "print_json",
    "print_table",
    "progress",
    "say",
    "some",
    "utc",
]

PIPE_WIDTH = 200
"""Width of a table that is not printed on a terminal: wide enough that nothing is cut."""

LINE_EVERY_S = 5.0
"""Without a terminal, progress is printed at most this often, and at the start and end."""

LINE_AFTER_S = 1.0
"""Without a terminal, a task's first line is printed after this time, or at its first progress."""

JSON_OPTION: Any = typer.Option(False, "--json", help="Print JSON instead of a table.")
"""The one ``--json`` option: ``json_: bool = JSON_OPTION``."""


def print_json(value: Any) -> None:
    """Print ``value`` as JSON on stdout: NaN and infinities become null, tuples become lists.

    Accepts dicts, dataclasses, msgspec structs, pydantic models, NumPy arrays
    and scalars, paths, enums and dates.
    """
    print(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """Return ``value`` converted to dict, list, str, int, float, bool and None.

    >>> plain({"sharpe": float("nan"), "trades": (1, 2)})
    {'sharpe': None, 'trades': [1, 2]}
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "model_dump"):  # a pydantic model
        return plain(value.model_dump(mode="json"))
    if hasattr(value, "tolist"):  # a NumPy array or scalar
        return plain(value.tolist())
    for fields in ("__dataclass_fields__", "__struct_fields__"):  # a dataclass, a msgspec struct
        if hasattr(value, fields):
            return {name: plain(getattr(value, name)) for name in getattr(value, fields)}
    if isinstance(value, datetime):
        return utc_iso(value)
    return str(value)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    footer: str = "",
    optional: Sequence[str] = (),
) -> None:
    """Print rows under their headings, or as blocks where a terminal is too narrow for them.

    rows     : cells are texts or numbers; None is a dash. Use ``count``, ``percent``, ``duration``
               ... for numbers with a unit.
    optional : headings of the columns that a narrow terminal leaves out, the first one first.
    """
    out = console()
    if title:
        out.print(title, style="table.title", markup=False)
    out.print(layout(columns, rows, out.width, optional))
    if footer:
        out.print(footer, style="dim", markup=False)


def print_facts(facts: Mapping[str, object], *, title: str = "") -> None:
    """Print names and values in two aligned columns."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(name, cell(value))
    out = console()
    if title:
        out.print(title, style="bold", markup=False)
    out.print(grid)


def say(text: str, *, style: str = "") -> None:
    """Print one line of the result on stdout; ``style`` is a Rich style, used on a terminal."""
    console().print(text, style=style or None, markup=False, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Print one remark on stderr."""
    print(text, file=sys.stderr, flush=True)


def error_line(text: str) -> None:
    """Print ``ares: text`` on stderr as exactly one line, red on a terminal."""
    line = "ares: " + " ".join(text.split())
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        line = f"\033[31m{line}\033[0m"
    print(line, file=sys.stderr, flush=True)


def console(stream: TextIO | None = None) -> Console:
    """Return a Rich console on ``stream`` (stdout); PIPE_WIDTH wide if it is not a terminal."""
    from rich.console import Console

    stream = stream or sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PIPE_WIDTH)


class ProgressBar:
    """The progress of one long task; created by ``progress``.

    Its methods may be passed as callbacks: ``train(..., on_done=bar.advance)``.
    """

    def __init__(
        self, label: str, total: float | None, unit: str, live: RichProgress | None, kept: str = ""
    ):
        self.label, self.total, self.unit, self.kept = label, total, unit, kept
        self.done = 0.0
        self._live = live
        self._task: TaskID | None = None
        self._started_s = self._printed_s = monotonic()
        self._announced = live is not None
        self._lock = Lock()
        if live is not None:
            self._task = live.add_task(label, total=total, note="")

    def advance(self, amount: float = 1, remark: str = "") -> None:
        """Advance by ``amount`` units; ``remark`` names what has just been done."""
        self.reach(self.done + amount, remark)

    def reach(self, done: float, remark: str = "") -> None:
        """Set progress to ``done`` units."""
        self.done = done
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=done, note=remark)
            return
        now_s = monotonic()
        if now_s - self._printed_s >= LINE_EVERY_S:
            self._printed_s = now_s
            self._announce()
            note(f"{self.label}: {self._state()}" + (f" · {remark}" if remark else ""))

    def expect(self, total: float) -> None:
        """Set the total number of units, once it is known."""
        self.total = total
        if self._live is not None and self._task is not None:
            self._live.update(self._task, total=total)

    def say(self, text: str) -> None:
        """Print a permanent line above the bar, on stderr."""
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            self._announce()
            note(text)

    def _announce(self) -> None:
        """Print the first line, once."""
        with self._lock:
            if not self._announced:
                self._announced = True
                counted = self.total and self.unit != "%"
                unit = self.unit.removesuffix("s") if self.total == 1 else self.unit
                total = f", {count(self.total)} {unit}".rstrip() if counted else ""
                note(f"{self.label}: started{total}")

    def _state(self) -> str:
        if self.unit == "%" and self.total:
            return percent(self.done / self.total, 0)
        share = f" ({percent(self.done / self.total, 0)})" if self.total else ""
        of = f" of {count(self.total)}" if self.total else ""
        return f"{count(self.done)}{of} {self.unit}".rstrip() + share

    def _finish(self, error: BaseException | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            kept = f": {self.kept if self.done else 'nothing is stored yet'}" if self.kept else ""
            self.say(f"{self.label}: interrupted at {self._state()}{kept}")
            return
        if error is not None and self._live is not None and self.done == 0:
            self._live.live.transient = True
        if self._live is not None or (error is not None and self.done == 0):
            return  # an error before the first step is one line
        self._announce()
        end = "done," if error is None else "stopped at"
        elapsed = duration(monotonic() - self._started_s)
        note(f"{self.label}: {end} {self._state()} in {elapsed}")


@contextmanager
def progress(
    label: str, total: float | None = None, unit: str = "", kept: str = ""
) -> Iterator[ProgressBar]:
    """Show the progress of a long task on stderr: a bar on a terminal, plain lines elsewhere.

    Without a terminal the first line comes after a second: an error at once is one line.

    total : number of units; None if not known yet (``ProgressBar.expect`` sets it later).
    kept  : what an interruption (Ctrl-C) leaves, and how to go on.

    >>> with progress("import", total=3, unit="files") as bar:
    ...     bar.advance(remark="BTCUSDT_1h.parquet")
    """
    if not sys.stderr.isatty():
        bar = ProgressBar(label, total, unit, None, kept)
        timer = Timer(LINE_AFTER_S, bar._announce)
        timer.daemon = True
        timer.start()
        try:
            yield from _finished_bar(bar)
        finally:
            timer.cancel()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn(unit, markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
    )
    with Progress(*columns, console=console(sys.stderr), transient=False) as live:
        yield from _finished_bar(ProgressBar(label, total, unit, live, kept))


def _finished_bar(bar: ProgressBar) -> Iterator[ProgressBar]:
    try:
        yield bar
    except BaseException as error:
        bar._finish(error)
        raise
    bar._finish(None)
