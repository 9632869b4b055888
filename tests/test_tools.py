"""What looks for weaknesses never calls it a success when it has not looked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from hub import VERSION

ROOT = Path(__file__).parents[1]
SOUND = {"name": "django", "version": "5.2.19", "vulns": []}
WEAK = SOUND | {"vulns": [{"id": "CVE-2026-0001", "fix_versions": ["5.2.20"]}]}
SKIPPED = {"name": "django", "skip_reason": "Dependency not found on PyPI"}


def audit(folder: Path, says: str, **settings: str) -> tuple[int, str]:
    """The audit with a pip-audit that gives this answer, as it does with exit code 0."""
    (folder / "pip_audit").mkdir()
    (folder / "pip_audit" / "__init__.py").touch()
    (folder / "pip_audit" / "__main__.py").write_text(f"print({says!r})")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "audit"], capture_output=True, text=True, timeout=60,
        env=os.environ | {"PYTHONPATH": str(folder)} | settings, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        ([SOUND], 0, "1 packages, no known weakness"),
        ([SOUND, WEAK], 1, "django 5.2.19: CVE-2026-0001, mended in 5.2.20"),
        ([SOUND, SKIPPED], 3, "NOT AUDITED: 1 of 2 packages were not looked at"),
        ([SKIPPED, WEAK], 1, "CVE-2026-0001"),
        ([], 3, "NOT AUDITED: 0 of 0"),
    ],
)
def test_packages_that_were_not_looked_at_are_no_success(
    tmp_path: Path, found: list[object], code: int, said: str
) -> None:
    given, told = audit(tmp_path, json.dumps({"dependencies": found}))
    assert given == code
    assert said in told


def test_a_service_that_is_away_is_no_success(tmp_path: Path) -> None:
    assert audit(tmp_path, "Traceback ...")[0] == 3


def test_where_it_is_demanded_what_was_not_looked_at_is_a_failure(tmp_path: Path) -> None:
    answer = json.dumps({"dependencies": [SKIPPED]})
    assert audit(tmp_path, answer, HUB_REQUIRE_AUDIT="1")[0] == 1


def test_the_bill_of_materials_has_every_pinned_package_and_what_lies_in_the_project(
    tmp_path: Path,
) -> None:
    written = tmp_path / "sbom.json"
    subprocess.run([sys.executable, ROOT / "tools" / "sbom", written], check=True, timeout=60)
    bill = json.loads(written.read_text())
    pinned = [
        line.split("==")[0].split("[")[0]
        for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line
    ]  # fmt: skip
    told = {one["name"].lower() for one in bill["components"]}
    assert {name.lower() for name in pinned} <= told
    assert {"htmx.org", "htmx-ext-sse"} <= told
    assert bill["specVersion"] == "1.6"
    assert "file://" not in written.read_text()


def test_a_key_that_is_committed_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "tools").mkdir(parents=True)
    (folder / "tools" / "secrets").write_text((ROOT / "tools" / "secrets").read_text())
    (folder / ".secrets.baseline").write_text("{}")
    subprocess.run(["git", "init", "-q", folder], check=True)
    command = [sys.executable, "tools/secrets"]
    assert subprocess.run(command, cwd=folder, check=False).returncode == 0
    # put together, so that this file does not look like one
    begin = "-----BEGIN RSA " + "PRIVATE KEY-----"
    (folder / "settings.py").write_text(f'KEY = """{begin}\nMIIE"""\n')
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "settings.py:1: Private Key" in done.stdout


def test_the_version_is_the_same_wherever_it_stands() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((ROOT / "charts/hub/Chart.yaml").read_text())["appVersion"]
    assert told == VERSION == chart
    assert f"ARG VERSION={VERSION}\n" in (ROOT / "Dockerfile").read_text()
