"""A full run with its key in the key file: the secret is nowhere but in the signer."""

from __future__ import annotations

import base64
import os
import shutil
import signal
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.sim.rehearsal.attack import Attack
from tests.sim.rehearsal.secrets_search import (
    descendants,
    forms,
    in_bytes,
    in_folder,
    in_process,
)
from tests.sim.rehearsal.test_attack import SMALL

from ares.bootstrap.signer import signer_status
from ares.domain.api_key import ApiKey
from ares.security.vault import KeyVault
from ares.security.vault_format import KdfCost, KeyEntry
from ares.sim.serve.keys import default_keys

PASSPHRASE = "a passphrase that nothing else reads"
SECRET = default_keys(0)[0].secret


class StoredKeys(Attack):
    """The same with the keys in the key file."""

    def _write_key(self) -> None:
        root, keys = self.workspace.root, default_keys(0)
        path = self.workspace.settings_path
        path.write_text(f"{path.read_text()}\nkeys:\n  passphrase_file: pass\n")
        (root / "pass").write_text(PASSPHRASE)
        (root / "pass").chmod(0o600)
        vault = KeyVault.create(self.workspace.keys_path, PASSPHRASE.encode(), KdfCost(64, 1, 1))
        for key, role in zip(keys, ("", "-reader"), strict=False):
            name = f"{self.environment}{role}"
            vault.put(KeyEntry(name, "kraken", 1_000, 90), ApiKey(key.key, key.secret))


@pytest.mark.parametrize(
    "written",
    [
        SECRET.encode(),
        b"x" + SECRET[30:62].encode(),
        SECRET[::-1].encode(),
        SECRET.encode().hex().encode(),
        b"{" + base64.b64encode(b"ab" + SECRET.encode()) + b"}",
        base64.b64decode(SECRET),
        quote(SECRET, safe="").encode(),
    ],
)
def test_the_search_finds_what_it_looks_for(written: bytes, tmp_path: Path) -> None:
    wanted = forms(SECRET)
    assert in_bytes(b"before" + written + b"after", wanted)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"." * (4 << 20) + written)
    assert in_folder(tmp_path, wanted)
    assert in_bytes(b"nothing of it", wanted) == []


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # minutes where the machine is busy
def test_nothing_that_a_full_run_wrote_or_holds_has_the_secret(tmp_path: Path) -> None:
    """Killed and started again in between; then journal, tables, logs, memory and environments."""
    attack = StoredKeys(tmp_path, SMALL, speed=60.0, seed=1)
    try:
        attack.await_orders(1)
        signer = signer_status(attack.workspace, attack.environment).pid
        os.kill(signer, signal.SIGABRT)  # a core dump, were there one
        attack.await_orders(2)
        attack.kill()
        attack.await_orders(3)
        engine = attack.engine.pid
        signer = signer_status(attack.workspace, attack.environment).pid
        others = [pid for pid in descendants(engine) if pid != signer]
        key = default_keys(0)[0]
        for secret in (key.secret, key.key):
            wanted = forms(secret)
            for pid in (engine, *others):
                assert in_process(pid, wanted) == [], pid
            assert in_folder(tmp_path, wanted) == []
            assert in_process(signer, wanted), "the search finds what is there"
        passphrase = {PASSPHRASE.encode(): "plain"}
        assert in_process(engine, passphrase) == []
        assert attack.settle() == []
        for secret in (key.secret, key.key):
            assert in_folder(tmp_path, forms(secret)) == []
    except PermissionError as error:
        pytest.skip(f"the memory of a process cannot be read here: {error}")
    finally:
        attack.close()
        shutil.rmtree(tmp_path, ignore_errors=True)
