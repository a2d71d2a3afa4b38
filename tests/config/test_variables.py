"""Variables of the process override those of the file; other names are left out."""

from __future__ import annotations

from pathlib import Path

from ares.config.variables import variables


def test_the_process_overrides_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("A_ONE=file\nA_TWO=file\nB_ONE=file\nA_EMPTY\n")
    found = variables(dotenv, {"A_TWO": "process", "B_TWO": "process"}, "A_")
    assert found == {"A_ONE": "file", "A_TWO": "process", "A_EMPTY": ""}
