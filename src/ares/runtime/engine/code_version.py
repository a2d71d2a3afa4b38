"""The hashes that identify the code of a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import ares
from ares.domain.code_hash import folders_hash
from ares.kernel.features import FEATURES_HASH
from ares.kernel.features.user import UserFeatures
from ares.kernel.jit import kernel_hash

USER_HASH = "user_features"
"""Key of a run's hashes: of the module with the user's own features."""

ARES_HASHES = ("kernel", "features", "engine")
"""Keys of a run's hashes: of the code of Ares itself."""


def code_hashes(user: UserFeatures | None = None) -> dict[str, str]:
    """Return the hashes of the code that a run depends on, with the user's own features."""
    hashes = {"kernel": kernel_hash(), "features": FEATURES_HASH, "engine": engine_hash()}
    return hashes if user is None else hashes | {USER_HASH: user.hash}


@cache
def engine_hash() -> str:
    """Return the hash of the engine's code above the kernel: core and domain."""
    return folders_hash(Path(ares.__file__).parent, ["core", "domain"])


def named_changes(changed: Sequence[str]) -> str:
    """Return which parts have changed, as the rest of a sentence.

    >>> named_changes(["engine"]), named_changes(["kernel", "features", "engine"])
    ('engine differs', 'kernel, features and engine differ')
    """
    *others, last = changed
    return f"{', '.join(others)} and {last} differ" if others else f"{last} differs"


def changed_code(hashes: dict[str, str]) -> list[str]:
    """Return which parts of Ares differ from the code with these hashes."""
    current = code_hashes()
    return [name for name in ARES_HASHES if hashes.get(name) != current[name]]
