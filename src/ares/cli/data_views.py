"""What ``ares data`` shows: the same answers as tables for a person, as JSON for a script."""

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

PLACES_SHOWN = 3
"""Places of one kind that are shown of a series where nobody asks for all."""

NOTHING = "no candles are stored: `ares data import PATH`, or `ares data fetch`"


def show_series(series: Sequence[Series]) -> None:
    """Print what is stored."""
    print_table(
        ("instrument", "interval", "bars", "from", "to (UTC)"),
        [
            (one.instrument.key, one.interval, count(one.bars), utc(one.first_ms), _end(one))
            for one in series
        ],
        footer=f"{count(sum(one.bars for one in series))} bars in {len(series)} series",
    )


def series_json(one: Series) -> dict[str, Any]:
    """Return a stored series; ``to`` is the end of its last bar."""
    return {
        "instrument": one.instrument.key,
        "venue": one.instrument.venue,
        "symbol": one.instrument.symbol,
        "interval": one.interval,
        "bars": one.bars,
        "from": utc(one.first_ms),
        "to": _end(one),
        "first_ms": one.first_ms,
        "last_ms": one.last_ms,
    }


def _end(one: Series) -> str:
    from ares.domain.timeframe import Timeframe

    return utc(one.last_ms + Timeframe(one.interval).ms)


def show_fetched(reports: Sequence[FetchReport]) -> None:
    """Print what a venue gave."""
    print_table(
        ("instrument", "interval", "from", "to", "new", "same", "conflicts", "unusable", "missing"),
        [
            (
                *(r.instrument.key, r.interval, utc(r.from_ms), utc(r.to_ms), count(r.new)),
                *(count(r.same), count(r.conflict_count), count(r.dropped), count(r.missing)),
            )
            for r in reports
        ],
    )


def fetched_json(report: FetchReport) -> dict[str, Any]:
    """Return what a venue gave of one series."""
    return {**plain(report), "instrument": report.instrument.key}


def show_import(report: ImportReport) -> None:
    """Print what each file brought, then conflicts, gaps and refusals line by line."""
    rows = [
        (
            *(f.name, f.instrument.key, f.interval, count(f.rows), count(f.new)),
            *(count(f.same), count(f.conflict_count), count(f.gaps)),
        )
        for f in report.imported
    ]
    if rows:
        print_table(
            ("file", "instrument", "interval", "bars", "new", "same", "conflicts", "gaps"), rows
        )
    say(_import_total(report))
    for one in report.imported:
        for conflict in one.conflicts[:PLACES_SHOWN]:
            note(
                f"conflict: {one.instrument.key} {one.interval} {utc(conflict.ts_ms)}: "
                f"{conflict.column} {conflict.stored:.10g} kept ({conflict.stored_source}), "
                f"{conflict.offered:.10g} refused ({conflict.offered_source})"
            )
        if one.conflict_count > PLACES_SHOWN:
            note(f"conflict: {one.name}: {some(one.conflict_count, 'bar')} in all")
    with_gaps = [one for one in report.imported if one.gaps]
    if with_gaps:
        names = with_gaps[0].name if len(with_gaps) == 1 else f"{len(with_gaps)} files"
        first = with_gaps[0]
        note(
            f"gap: {some(sum(one.missing for one in with_gaps), 'bar')} missing inside {names}, "
            f"first {first.instrument.key} {first.interval} at {utc(first.first_gap_ms)}; "
            "short gaps become flat bars; `ares data check` shows them all"
        )
    for _, reason in report.refused:
        note(f"refused: {reason}")


def _import_total(report: ImportReport) -> str:
    parts = [
        f"{some(sum(f.new for f in report.imported), 'new bar')} from "
        f"{some(len(report.imported), 'file')}",
    ]
    if repeated := sum(f.repeated for f in report.imported):
        parts.append(f"{some(repeated, 'repeated row')} dropped")
    if report.skipped:
        named = ", ".join(report.skipped[:6]) + (", …" if len(report.skipped) > 6 else "")
        parts.append(f"{some(len(report.skipped), 'file')} skipped, no candles: {named}")
    if report.refused:
        parts.append(f"{some(len(report.refused), 'file')} refused (below)")
    return "; ".join(parts)


def import_json(report: ImportReport) -> dict[str, Any]:
    """Return what each file brought."""
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
    }


def show_check(checked: Sequence[SeriesCheck], every: bool, errors: int) -> None:
    """Print counts for each series, then the first places of each kind (``every``: all)."""
    from ares.observe.candle_check import Kind

    if not checked:
        say(NOTHING)
        return

    def bars(one: SeriesCheck, *kinds: Kind) -> str:
        return count(sum(f.count for f in one.findings if f.kind in kinds))

    print_table(
        ("series", "bars", "from", "to (UTC)", "gaps", "missing", "silent", "jumps", "errors"),
        [
            (
                f"{one.series.instrument.key} {one.series.interval}",
                *(count(one.series.bars), utc(one.series.first_ms), _end(one.series)),
                count(sum(f.kind is Kind.GAP for f in one.findings)),
                *(bars(one, Kind.GAP), bars(one, Kind.ZERO_VOLUME), bars(one, Kind.JUMP)),
                bars(one, *(kind for kind in Kind if kind.is_error)),
            )
            for one in checked
        ],
        footer="bars are counted; missing: in gaps; silent: without volume; "
        "jumps: over 5% and over 20 median moves in one bar",
    )
    rows = [row for one in checked for row in _places(one, every)]
    if rows:
        print_table(("series", "found", "places", "bars", "where (UTC)"), rows)
    say(
        f"{some(errors, 'place')} with errors: correct {'it' if errors == 1 else 'them'} "
        "before you rely on these candles"
        if errors
        else "no errors; gaps, silent bars and jumps are how the market was, or what it published"
    )


def _places(one: SeriesCheck, every: bool) -> list[tuple[str, str, int, str, str]]:
    """Return a row for each kind of finding with its first places; ``every``: a row a place."""
    from ares.observe.candle_check import Kind

    name = f"{one.series.instrument.key} {one.series.interval}"
    rows = []
    for kind in Kind:
        found = [f for f in one.findings if f.kind is kind]
        if every:
            rows += [(name, kind.value, 1, count(f.count), _place(f)) for f in found]
        elif found:
            shown = ", ".join(_place(f) for f in found[:PLACES_SHOWN])
            more = f", and {count(len(found) - PLACES_SHOWN)} more" * (len(found) > PLACES_SHOWN)
            rows.append(
                (name, kind.value, len(found), count(sum(f.count for f in found)), shown + more)
            )
    return rows


def _place(finding: Finding) -> str:
    """Return where a finding is: one time for one bar, a span for more; and its detail."""
    span = utc(finding.from_ms)
    if finding.count > 1:
        span += f" to {utc(finding.to_ms)}"
    return f"{span} ({finding.detail})" if finding.detail else span


def checked_json(one: SeriesCheck, every: bool) -> dict[str, Any]:
    """Return a series' findings by kind, with the first places (``every``: all)."""
    from ares.observe.candle_check import Kind

    kinds = {}
    for kind in Kind:
        found = [f for f in one.findings if f.kind is kind]
        shown = found if every or kind.is_error else found[:PLACES_SHOWN]
        if found:
            kinds[kind.value] = {
                "error": kind.is_error,
                "places": len(found),
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
        "instrument": one.series.instrument.key,
        "interval": one.series.interval,
        "bars": one.series.bars,
        "findings": kinds,
    }
