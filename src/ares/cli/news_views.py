"""What ``ares news`` shows: what came in, what is stored, and how fresh it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ares.cli.formatting import count, some, utc
from ares.cli.output import note, number, print_table, say

if TYPE_CHECKING:
    from ares.domain.news import NewsRow
    from ares.observe.news_check import SourceChecked
    from ares.runtime.ingest.news_import import NewsReport
    from ares.store.news import NewsSource

NOTHING = "no news are stored: `ares news import PATH`, or `ares news fetch URL`"
HEADLINE_WIDTH = 90


def show_import(report: NewsReport) -> None:
    """Print what each file or feed brought, and why items were not used."""
    numbers = ("items", "new", "same", "differing", "repeated")
    rows = [
        (
            *(file.name, *(count(getattr(file, name)) for name in numbers)),
            *(count(sum(file.skipped.values())), count(file.scored)),
            *(utc(file.first_ms), utc(file.last_ms)),
        )
        for file in report.imported
    ]
    if rows:
        columns = ("news", "items", "new", "same", "other score", "repeated", "skipped", "scored")
        print_table((*columns, "from", "to (UTC)"), rows)
    new = sum(file.new for file in report.imported)
    say(f"{some(new, 'new row')} from {some(len(report.imported), 'source')}")
    reasons: Counter[str] = Counter()
    for file in report.imported:
        reasons.update(file.skipped)
    for reason, amount in reasons.most_common():
        note(f"skipped: {some(amount, 'item')} with {reason}")
    if dated := sum(file.dated for file in report.imported):
        note(f"dated: {some(dated, 'item')} without a time of day: known at the end of the day")
    if differing := sum(file.differing for file in report.imported):
        note(f"kept: {some(differing, 'row')} with the score stored before, not the one offered")
    if report.skipped:
        note(f"skipped: {some(len(report.skipped), 'file')}: {'; '.join(report.skipped[:6])}")
    for _, reason in report.refused:
        note(f"refused: {reason}")


def show_sources(sources: Sequence[NewsSource]) -> None:
    """Print what is stored."""
    print_table(
        ("source", "about", "rows", "headlines", "scored by", "from", "to (UTC)"),
        [
            (
                *(row.source, row.scope or "market", count(row.rows), count(row.headlines)),
                *(", ".join(row.scorers), utc(row.first_ms), utc(row.last_ms)),
            )
            for row in sources
        ],
        footer=f"{some(sum(row.rows for row in sources), 'row')}; `ares news list --rows 20` "
        "shows the newest",
    )


def show_newest(rows: Sequence[NewsRow]) -> None:
    """Print rows, the newest first."""
    print_table(
        ("published (UTC)", "source", "about", "score", "headline"),
        [
            (
                *(utc(row.published_ms), row.source, row.scope or "market", number(row.score, 2)),
                (row.headline or "–")[:HEADLINE_WIDTH],
            )
            for row in rows
        ],
    )


def show_check(checked: Sequence[SourceChecked], ok: bool) -> None:
    """Print how fresh each source is, and remarks on it."""
    print_table(
        ("source", "about", "rows", "newest (UTC)", "age, hours", "longest silence, hours"),
        [
            (
                *(row.source.source, row.source.scope or "market", count(row.source.rows)),
                *(utc(row.source.last_ms), number(row.age_hours, 1)),
                number(row.source.silence_ms / 3_600_000, 1),
            )
            for row in checked
        ],
    )
    for row in checked:
        for remark in row.remarks:
            say(f"{row.source.source} ({row.source.scope or 'market'}): {remark}")
    say(
        "fresh: models see sentiment now"
        if ok
        else "no source that counts is fresh: models with sentiment score by prices alone"
    )
