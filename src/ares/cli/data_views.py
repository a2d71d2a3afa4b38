"""The output of ``ares data``, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ares.cli.formatting import count, some, utc
from ares.cli.output import note, plain, print_table, say

if TYPE_CHECKING:
    from ares.observe.candle_check import Finding, SeriesCheck
    from ares.runtime.ingest.candle_fetch import FetchReport
    from ares.runtime.ingest.candle_import import ImportReport
    from ares.store.candles import Series

FINDINGS_SHOWN = 3
"""Findings of one kind that are listed per series without --all."""

UNUSED_SHOWN = 12
"""Files that hold no candles, or candles that are not used, listed without --json."""

NOTHING = "no candles are stored: run `ares data import PATH` or `ares data fetch`"


def show_series(series: Sequence[Series]) -> None:
    """Print what is stored."""
    print_table(
        ("instrument", "interval", "bars", "missing", "from", "to (UTC)"),
        [
            (
                *(each.instrument.key, each.interval, count(each.bars), count(_missing(each))),
                *(utc(each.first_ms), _end(each)),
            )
            for each in series
        ],
        footer=f"{count(sum(each.bars for each in series))} bars in {len(series)} series",
    )


def series_json(series: Series) -> dict[str, Any]:
    """Return a stored series; ``to`` is the end of its last bar."""
    return {
        "instrument": series.instrument.key,
        "venue": series.instrument.venue,
        "symbol": series.instrument.symbol,
        "interval": series.interval,
        "bars": series.bars,
        "missing": _missing(series),
        "from": utc(series.first_ms),
        "to": _end(series),
        "first_ms": series.first_ms,
        "last_ms": series.last_ms,
    }


def _missing(series: Series) -> int:
    """Return the number of bars that are missing between the first and the last."""
    from ares.domain.timeframe import Timeframe

    step_ms = Timeframe(series.interval).ms
    return (series.last_ms - series.first_ms) // step_ms + 1 - series.bars


def _end(series: Series) -> str:
    from ares.domain.timeframe import Timeframe

    return utc(series.last_ms + Timeframe(series.interval).ms)


def show_fetched(reports: Sequence[FetchReport]) -> None:
    """Print the result of a fetch, one row per series."""
    print_table(
        ("instrument", "interval", "from", "to", "new", "same", "conflicts", "invalid", "missing"),
        [
            (
                *(r.instrument.key, r.interval, utc(r.from_ms), utc(r.to_ms), count(r.new)),
                *(count(r.same), count(r.conflict_count), count(r.dropped), count(r.missing)),
            )
            for r in reports
        ],
        optional=("same", "from"),
    )


def fetched_json(report: FetchReport) -> dict[str, Any]:
    """Return the result of a fetch of one series."""
    return {**plain(report), "instrument": report.instrument.key}


def show_import(report: ImportReport) -> None:
    """Print the result of each file, then conflicts, gaps and refused files line by line."""
    rows = [
        (
            *(f.name, f.instrument.key, f.interval, count(f.rows), count(f.new)),
            *(count(f.same), count(f.conflict_count), count(f.gaps)),
        )
        for f in report.imported
    ]
    if rows:
        print_table(
            ("file", "instrument", "interval", "bars", "new", "same", "conflicts", "gaps"),
            rows,
            optional=("same", "interval"),
        )
    say(_import_total(report))
    for file in report.imported:
        for conflict in file.conflicts[:FINDINGS_SHOWN]:
            note(
                f"conflict: {file.instrument.key} {file.interval} {utc(conflict.ts_ms)}: "
                f"{conflict.column} {conflict.stored:.10g} kept ({conflict.stored_source}), "
                f"{conflict.offered:.10g} refused ({conflict.offered_source})"
            )
        if file.conflict_count > FINDINGS_SHOWN:
            note(f"conflict: {file.name}: {some(file.conflict_count, 'bar')} in total")
    with_gaps = [file for file in report.imported if file.gaps]
    if with_gaps:
        names = with_gaps[0].name if len(with_gaps) == 1 else f"{len(with_gaps)} files"
        first = with_gaps[0]
        note(
            f"gap: {some(sum(file.missing for file in with_gaps), 'bar')} missing in {names}, "
            f"first {first.instrument.key} {first.interval} at {utc(first.first_gap_ms)}; "
            "short gaps are filled with flat bars; `ares data check` lists all gaps"
        )
    for _, reason in report.refused:
        note(f"refused: {reason}")
    for _, reason in report.unsupported[:UNUSED_SHOWN]:
        note(f"not used: {reason}")
    if len(report.unsupported) > UNUSED_SHOWN:
        note(f"not used: {len(report.unsupported) - UNUSED_SHOWN} more (--json lists all)")


def _import_total(report: ImportReport) -> str:
    parts = [
        f"{some(sum(f.new for f in report.imported), 'new bar')} from "
        f"{some(len(report.imported), 'file')}",
    ]
    if repeated := sum(f.repeated for f in report.imported):
        parts.append(f"{some(repeated, 'repeated row')} dropped")
    if report.skipped:
        shown = report.skipped[:UNUSED_SHOWN]
        names = ", ".join(shown) + (", …" if len(report.skipped) > len(shown) else "")
        parts.append(f"{some(len(report.skipped), 'file')} without candles skipped: {names}")
    if report.refused:
        parts.append(f"{some(len(report.refused), 'file')} refused (below)")
    if report.unsupported:
        parts.append(f"{some(len(report.unsupported), 'file')} not used (below)")
    return "; ".join(parts)


def import_json(report: ImportReport) -> dict[str, Any]:
    """Return the result of each file."""
    return {
        "files": [
            {
                **plain(f),
                "instrument": f.instrument.key,
                "conflicts": [{**plain(c), "instrument": c.instrument.key} for c in f.conflicts],
            }
            for f in report.imported
        ],
        "new": sum(f.new for f in report.imported),
        "same": sum(f.same for f in report.imported),
        "conflicts": sum(f.conflict_count for f in report.imported),
        "skipped": list(report.skipped),
        "refused": [{"file": name, "reason": reason} for name, reason in report.refused],
        "unsupported": [{"file": name, "reason": reason} for name, reason in report.unsupported],
    }


def show_check(checked: Sequence[SeriesCheck], every: bool, errors: int) -> None:
    """Print counts for each series, then the first findings of each kind (``every``: all)."""
    from ares.observe.candle_check import Kind

    if not checked:
        say(NOTHING)
        return

    def bars(check: SeriesCheck, *kinds: Kind) -> str:
        return count(sum(f.count for f in check.findings if f.kind in kinds))

    print_table(
        ("series", "bars", "from", "to (UTC)", "gaps", "missing", "no volume", "jumps", "errors"),
        [
            (
                f"{check.series.instrument.key} {check.series.interval}",
                *(count(check.series.bars), utc(check.series.first_ms), _end(check.series)),
                count(sum(f.kind is Kind.GAP for f in check.findings)),
                *(bars(check, Kind.GAP), bars(check, Kind.ZERO_VOLUME), bars(check, Kind.JUMP)),
                bars(check, *(kind for kind in Kind if kind.is_error)),
            )
            for check in checked
        ],
        optional=("from", "to (UTC)"),
        footer="columns count bars, except gaps; missing: bars in gaps; "
        "jumps: moves above 5% and above 20 median moves in one bar",
    )
    rows = [row for check in checked for row in _finding_rows(check, every)]
    if rows:
        print_table(("series", "finding", "count", "bars", "time (UTC)"), rows)
    say(
        f"{some(errors, 'error')} found: correct {'it' if errors == 1 else 'them'} "
        "before you use these candles"
        if errors
        else "no errors; gaps, bars without volume and jumps occur in real market data"
    )


def _finding_rows(check: SeriesCheck, every: bool) -> list[tuple[str, str, int, str, str]]:
    """Return a row per kind with its first findings; ``every``: a row per finding."""
    from ares.observe.candle_check import Kind

    name = f"{check.series.instrument.key} {check.series.interval}"
    rows = []
    for kind in Kind:
        found = [f for f in check.findings if f.kind is kind]
        if every:
            rows += [(name, kind.value, 1, count(f.count), _time_span(f)) for f in found]
        elif found:
            shown = ", ".join(_time_span(f) for f in found[:FINDINGS_SHOWN])
            more = f", and {count(len(found) - FINDINGS_SHOWN)} more" * (
                len(found) > FINDINGS_SHOWN
            )
            rows.append(
                (name, kind.value, len(found), count(sum(f.count for f in found)), shown + more)
            )
    return rows


def _time_span(finding: Finding) -> str:
    """Return the time of a finding (a span for several bars) and its detail."""
    span = utc(finding.from_ms)
    if finding.count > 1:
        span += f" to {utc(finding.to_ms)}"
    return f"{span} ({finding.detail})" if finding.detail else span


def checked_json(check: SeriesCheck, every: bool) -> dict[str, Any]:
    """Return the findings of a series by kind, with the first of each (``every``: all)."""
    from ares.observe.candle_check import Kind

    kinds = {}
    for kind in Kind:
        found = [f for f in check.findings if f.kind is kind]
        shown = found if every or kind.is_error else found[:FINDINGS_SHOWN]
        if found:
            kinds[kind.value] = {
                "error": kind.is_error,
                "count": len(found),
                "bars": sum(f.count for f in found),
                "shown": [
                    {
                        "from": utc(f.from_ms),
                        "to": utc(f.to_ms),
                        "from_ms": f.from_ms,
                        "to_ms": f.to_ms,
                        "bars": f.count,
                        "detail": f.detail,
                    }
                    for f in shown
                ],
            }
    return {
        "instrument": check.series.instrument.key,
        "interval": check.series.interval,
        "bars": check.series.bars,
        "findings": kinds,
    }
