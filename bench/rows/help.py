"""Row: how long ``ares --help`` takes, from the start of its process to the end.

python -m bench.rows.help
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

ARES = Path(sys.executable).parent / "ares"


def main() -> None:
    start = time.perf_counter()
    subprocess.run([str(ARES), "--help"], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    sys.stdout.write(json.dumps({"figures": {"seconds": seconds}}) + "\n")


if __name__ == "__main__":
    main()
