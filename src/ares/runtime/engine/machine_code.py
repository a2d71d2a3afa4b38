"""``python -m``: compiles the kernel in a process of its own, before an engine loads it.

The compiler leaves some 250 MB in its process: an engine that compiled at its first start would
have them for months.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import msgspec

from ares.core.initial_state import new_state
from ares.core.models import Models
from ares.domain.run import RunSetup
from ares.kernel import jit
from ares.runtime.engine.quiet import load_machine_code

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RunSetup).decode


def compile_beforehand(setup: RunSetup) -> bool:
    """Compile what a run needs, unless that was done; return whether a process did it.

    Where it fails, the engine compiles by itself.
    """
    if _marker().exists():
        return False
    command = [sys.executable, "-m", "ares.runtime.engine.machine_code"]
    done = subprocess.run(command, input=_encode(setup), stdout=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def _marker() -> Path:
    """Return the file that says so: machine code belongs to a version and to where it lies."""
    where = hashlib.sha256(str(Path(jit.__file__).parent).encode()).hexdigest()[:16]
    return jit.use_cache_folder() / f"compiled-{where}"


def main() -> None:
    """Compile for the setup on standard input."""
    load_machine_code(new_state(_decode(sys.stdin.buffer.read())), Models({}))
    _marker().touch()


if __name__ == "__main__":
    main()
