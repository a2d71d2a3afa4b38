"""Audit the dependencies: known vulnerabilities of the lock, and a bill of materials (SBOM).

    python scripts/audit.py dist/sbom.json

The bill of materials is in CycloneDX JSON and lists what a production machine installs
(requirements/run.lock). The vulnerabilities are those of requirements/dev.lock, which has all of
that and the tools. Exit code 1 only where a vulnerability is found.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / "requirements"


def main(arguments: list[str]) -> int:
    """Write the bill of materials, print the findings, and return the exit code."""
    write_sbom(LOCKS / "run.lock", Path(arguments[0]))
    command = ["pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    done = _run([*command, "--format", "json", "--requirement", str(LOCKS / "dev.lock")])
    lines, code = findings(done.stdout, done.stderr)
    print("\n".join(f"audit: {line}" for line in lines))
    return code


def write_sbom(lock: Path, path: Path) -> None:
    """Write the CycloneDX bill of materials of ``lock``; equal locks give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [
        "cyclonedx_py",
        "requirements",
        str(lock),
        "--pyproject",
        str(ROOT / "pyproject.toml"),
    ]
    done = _run([*command, "--output-reproducible", "--of", "JSON", "-o", str(path)])
    if done.returncode:
        sys.exit(f"audit: no bill of materials: {_last_line(done.stderr)}")
    count = len(json.loads(path.read_text(encoding="utf-8"))["components"])
    print(f"audit: {path}: {count} packages")


def findings(output: str, errors: str) -> tuple[list[str], int]:
    """Return the lines to print and the exit code, from what pip-audit wrote.

    pip-audit exits with 1 for a vulnerability and for an index that does not answer alike; only
    its JSON tells them apart.
    """
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return [f"vulnerabilities not checked, no index answers: {_last_line(errors)}"], 0
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    found = [
        f"{package['name']} {package['version']}: {problem['id']}{_fixed_in(problem)}"
        for package in packages
        for problem in package.get("vulns", [])
    ]
    checked = len(packages) - len(skipped)
    if not checked:
        return ["vulnerabilities not checked: the index has no vulnerability data"], 0
    lines = [*found, f"{checked} packages checked, {len(found)} vulnerabilities"]
    if skipped:
        lines.append(f"not checked, the index has no data on them: {', '.join(skipped)}")
    return lines, 1 if found else 0


def _fixed_in(problem: dict[str, list[str]]) -> str:
    versions = problem.get("fix_versions") or []
    return f", fixed in {', '.join(versions)}" if versions else ", no fix yet"


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1][:200]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
