"""scripts/audit.py: a vulnerability fails, an index that does not answer is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def audit(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("audit")


def package(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "version": "1.0", "vulns": []} | more


def test_a_vulnerability_is_named_with_its_fix_and_fails(audit: ModuleType) -> None:
    problems = [
        {"id": "CVE-2026-1", "fix_versions": ["1.1", "2.0"]},
        {"id": "CVE-2026-2", "fix_versions": []},
    ]
    output = json.dumps({"dependencies": [package("a"), package("b", vulns=problems)]})
    lines, code = audit.findings(output, "Found 2 known vulnerabilities")
    assert code == 1
    assert lines == [
        "b 1.0: CVE-2026-1, fixed in 1.1, 2.0",
        "b 1.0: CVE-2026-2, no fix yet",
        "2 packages checked, 2 vulnerabilities",
    ]


def test_what_the_index_does_not_know_is_named(audit: ModuleType) -> None:
    unknown = {"name": "b", "skip_reason": "not found"}
    output = json.dumps({"dependencies": [package("a"), unknown]})
    assert audit.findings(output, "") == (
        [
            "1 packages checked, 0 vulnerabilities",
            "not checked, the index has no data on them: b",
        ],
        0,
    )


def test_an_index_that_does_not_answer_is_reported_in_one_line_and_passes(
    audit: ModuleType,
) -> None:
    lines, code = audit.findings("", "Traceback\nConnectionError: refused\n")
    assert code == 0
    assert lines == ["vulnerabilities not checked, no index answers: ConnectionError: refused"]
    skipped = json.dumps({"dependencies": [{"name": "a", "skip_reason": "not found"}]})
    lines, code = audit.findings(skipped, "")
    assert code == 0
    assert lines == ["vulnerabilities not checked: the index has no vulnerability data"]


def test_the_bill_of_materials_lists_each_package_of_the_lock(
    audit: ModuleType, tmp_path: Path
) -> None:
    lock = tmp_path / "run.lock"
    digest = "85ece4451f492d0c13c5dd7c13a64681a86afae63a5f347908daf103ce6d2f67"
    lock.write_text(f"jinja2==3.1.6 \\\n    --hash=sha256:{digest}\n")
    path = tmp_path / "dist" / "sbom.json"
    audit.write_sbom(lock, path)
    content = json.loads(path.read_text())
    assert content["bomFormat"] == "CycloneDX"
    assert [part["purl"] for part in content["components"]] == ["pkg:pypi/jinja2@3.1.6"]
    assert digest in path.read_text()
