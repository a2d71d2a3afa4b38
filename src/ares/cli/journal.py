"""``ares journal``: whether the files of a run's journal are what was written."""

from __future__ import annotations

import typer

from ares.cli.output import JSON_OPTION, count, print_json, say

EXIT_DAMAGED = 3

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Look after the journals of runs."""


@app.command()
def verify(
    run: str = typer.Argument(None, help="Name of the run; default: the newest."),
    json_: bool = JSON_OPTION,
) -> int:
    """Verify every record of a run's journal, from the first one on. Exit code 3 if one of them is
    damaged.
    """
    from ares.bootstrap import verify_run
    from ares.config.workspace import Workspace

    name, check = verify_run(Workspace.here(), run)
    if json_:
        print_json(
            {
                "run": name,
                "whole": check.whole,
                "records": check.records,
                "segments": check.segments,
                "bytes": check.bytes,
                "torn_bytes": check.torn_bytes,
                "file": check.file,
                "byte": check.byte,
                "record": check.record,
            }
        )
        return 0 if check.whole else EXIT_DAMAGED
    files = f"{count(check.segments)} file{'' if check.segments == 1 else 's'}"
    if check.whole:
        say(f"{name}: {count(check.records)} records in {files} are whole.")
        if check.torn_bytes:
            say(
                f"{count(check.torn_bytes)} bytes of an unfinished record at the end are cut off at"
                " the next start."
            )
        return 0
    say(
        f"{name}: damaged at byte {check.byte} of {check.file}, in the record that begins at byte"
        f" {check.record}. {count(check.records)} records before it are whole. Restore the file"
        " from a backup."
    )
    return EXIT_DAMAGED
