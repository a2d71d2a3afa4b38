"""The version can be asked for without SQLAlchemy; ``test_database`` compares it with Alembic's."""

from __future__ import annotations

import subprocess
import sys


def test_it_loads_no_sqlalchemy() -> None:
    script = "import sys, ares.store.schema_version; print('sqlalchemy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
