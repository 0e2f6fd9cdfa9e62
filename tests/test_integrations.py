"""Where cortex-git runs by itself: the action, the GitLab component, pre-commit's hooks, a script for cron.

The shell of each is taken out of its file and run as its host runs it, on a real repository. Only what would
install from the network is a stand-in: its environment leads to this checkout.
"""

import fcntl
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from gitworld import BESIDE
from hookworld import VULNERABLE, Worked, lock, run, worked

CHECKOUT = Path(__file__).parents[1]
sys.path.insert(0, str(CHECKOUT / "scripts"))

import command_reference  # noqa: E402
import pre_commit_hooks  # noqa: E402

LOCK = "package-lock.json"
RECORD = {
    "id": "TEST-1",
    "modified": "2024-01-02T00:00:00Z",
    "summary": "made up",
    "affected": [
        {
            "package": {"ecosystem": "npm", "name": "lodash"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "4.17.21"}]}],
        }
    ],
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A folder in the layout of the OSV dumps."""
    folder = tmp_path / "dump" / "npm"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr("TEST-1.json", json.dumps(RECORD))
    return folder.parent


@pytest.fixture
def vulnerable(tmp_path: Path) -> Worked:
    work = worked(tmp_path / "project")
    work.commit(LOCK, lock(lodash=VULNERABLE))
    return work


def stand_in(folder: Path) -> Path:
    """A folder for the path, whose `python3 -m venv` makes an environment of links to this one."""
    folder.mkdir()
    seen = folder / "installed"
    python = shlex.quote(sys.executable)
    command = f'#!/bin/sh\nexec {python} -m cortex_git "$@"\n'
    (folder / "python3").write_text(
        "#!/bin/sh\n"
        f'[ "$1 $2" = "-m venv" ] || exec {python} "$@"\n'
        'mkdir -p "$3/bin"\n'
        f'printf %s {shlex.quote(command)} >"$3/bin/cortex-git"\n'
        "cat >\"$3/bin/python\" <<'END'\n"
        "#!/bin/sh\n"
        f'[ "$1 $2" = "-m pip" ] || exec {python} "$@"\n'
        f'echo "$*" >>{shlex.quote(str(seen))}\n'
        "END\n"
        'chmod +x "$3/bin/python" "$3/bin/cortex-git"\n'
    )
    (folder / "python3").chmod(0o755)
    return folder


# The GitHub action


ACTION: dict[str, Any] = yaml.safe_load((CHECKOUT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
_EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")


@dataclass
class Runner:
    """What of a runner a composite action's shell steps meet."""

    folder: Path
    top: Path
    inputs: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    said: str = ""
    summary: str = ""

    def value(self, expression: str) -> str:
        kind, _, rest = expression.partition(".")
        if kind == "inputs":
            return self.inputs[rest]
        if kind == "steps":
            step, _, name = rest.partition(".outputs.")
            return self.outputs.get(step, {}).get(name, "")
        return {"runner.temp": str(self.folder / "runner temp"), "runner.os": "Linux"}[expression]

    def run(self, step: dict[str, Any]) -> int:
        files = {name: self.folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")}
        for file in files.values():
            file.write_text("")
        script = self.folder / "step.sh"
        script.write_text(step["run"])
        given = {
            name: _EXPRESSION.sub(lambda m: self.value(m[1]), v) for name, v in step.get("env", {}).items()
        }
        environment = {
            "PATH": f"{self.folder / 'path'}:/usr/bin:/bin",
            "GITHUB_ACTION_PATH": str(CHECKOUT),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.top),
            "RUNNER_TEMP": str(self.folder / "runner temp"),
            "CI": "true",
            **{name: str(file) for name, file in files.items()},
            **given,
        }
        done = run(["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], self.top, environment)
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        self.outputs[step.get("id", "")] = dict(line.split("=", 1) for line in lines)
        self.said += done.stdout + done.stderr
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        return done.returncode

    def run_all(self) -> int:
        """Every shell step, up to the first that fails; its status."""
        return next((status for step in STEPS if "run" in step and (status := self.run(step))), 0)


def runner(tmp_path: Path, top: Path, dump: Path, **inputs: str) -> Runner:
    stand_in(tmp_path / "path")
    (tmp_path / "runner temp").mkdir()
    values = {name: facts["default"] for name, facts in ACTION["inputs"].items()}
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    return Runner(tmp_path, top, {**values, "advisories": str(dump), "ecosystems": "npm\n", **given})


def test_the_action_has_the_form_of_a_composite_one() -> None:
    assert set(ACTION) == {"name", "description", "inputs", "outputs", "runs"}
    assert ACTION["runs"]["using"] == "composite"
    for facts in ACTION["inputs"].values():
        assert set(facts) == {"description", "default"}
        assert isinstance(facts["default"], str)
    for facts in ACTION["outputs"].values():
        assert set(facts) == {"description", "value"}
    for step in STEPS:
        assert set(step) <= {"name", "id", "if", "uses", "with", "run", "shell", "env"}
        assert ("uses" in step) != ("run" in step)
        assert ("run" in step) == ("shell" in step)


def test_the_action_puts_nothing_into_the_text_of_a_shell() -> None:
    for step in STEPS:
        assert "${{" not in step.get("run", ""), step["name"]


def test_what_the_action_refers_to_is_there() -> None:
    text = (CHECKOUT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\binputs\.([a-z-]+)", text)) == set(ACTION["inputs"])
    ids = {step["id"] for step in STEPS if "id" in step}
    assert set(re.findall(r"\bsteps\.([a-z]+)\.", text)) == ids
    written = {name for step in STEPS for name in re.findall(r"([a-z-]+)=(?:[$%\"]|%d)", step.get("run", ""))}
    assert {
        facts["value"].split(".outputs.")[1].rstrip(" }") for facts in ACTION["outputs"].values()
    } <= written


def test_the_action_keeps_what_it_has_after_a_scan_that_fails() -> None:
    """The post step of actions/cache would not: it runs after success alone."""
    fetch, save = (step for step in STEPS if "actions/cache" in step.get("uses", ""))
    assert "/restore@" in fetch["uses"]
    assert "/save@" in save["uses"]
    assert save["if"].startswith("always() && ")
    assert [save["with"][name] for name in ("path", "key")] == [
        fetch["with"][name] for name in ("path", "key")
    ]
    names = [step["name"] for step in STEPS]
    assert names.index("Scan") < names.index(save["name"])


def test_the_action_names_others_by_commit() -> None:
    text = (CHECKOUT / "action.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (.*)", text)
    assert len(used) == 4
    assert all(re.fullmatch(r"[a-z/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one) for one in used)


def test_the_action_scans_reports_and_fails(tmp_path: Path, vulnerable: Worked, dump: Path) -> None:
    github = runner(tmp_path, vulnerable.top, dump)
    assert github.run_all() == 1
    outputs = github.outputs["scan"]
    assert (outputs["findings"], outputs["not-scanned"], outputs["exit-code"]) == ("1", "0", "1")
    sarif = json.loads((vulnerable.top / outputs["sarif"]).read_text())
    [result] = sarif["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == LOCK
    assert json.loads(Path(outputs["report"]).read_text())["cves_found"] == 1
    assert "lodash" in github.summary
    assert "::error" in github.said
    assert str(CHECKOUT) in (tmp_path / "path" / "installed").read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", github.outputs["day"]["day"])


@pytest.mark.parametrize(
    ("inputs", "status"),
    [
        pytest.param({"fail_on": "never", "repositories": ".\n\n.@main\n"}, 0, id="never"),
        pytest.param({"repositories": "-x; touch pwned"}, 2, id="no-repository"),
        pytest.param({"sarif": "results.json"}, 2, id="another-ending"),
        pytest.param({"repos_file": "list $(touch pwned)"}, 2, id="no-such-list"),
    ],
)
def test_inputs_of_the_action(
    tmp_path: Path, vulnerable: Worked, dump: Path, inputs: dict[str, str], status: int
) -> None:
    github = runner(tmp_path, vulnerable.top, dump, **inputs)
    assert github.run_all() == status, github.said
    assert not (vulnerable.top / "pwned").exists()
    assert github.outputs.get("scan", {}).get("exit-code", str(status)) == str(status)


def test_the_action_goes_on_without_new_advisories(tmp_path: Path, vulnerable: Worked, dump: Path) -> None:
    github = runner(tmp_path, vulnerable.top, dump / "gone")
    assert github.run_all() == 3
    assert "::warning title=cortex-git::" in github.said
    assert github.outputs["scan"]["not-scanned"] == "1"


# The GitLab component


HEAD, BODY = yaml.safe_load_all((CHECKOUT / "templates" / "scan.yml").read_text(encoding="utf-8"))
_INPUT = re.compile(r"\$\[\[ inputs\.([a-z-]+) \]\]")


def test_the_component_has_its_form() -> None:
    inputs = HEAD["spec"]["inputs"]
    text = (CHECKOUT / "templates" / "scan.yml").read_text(encoding="utf-8")
    assert set(_INPUT.findall(text)) == set(inputs)
    for name, facts in inputs.items():
        assert set(facts) <= {"description", "default", "options", "type"}, name
        assert name == "package" or facts["default"] in facts.get("options", [facts["default"]])
    assert "default" not in inputs["package"]  # by its name alone pip would install a stranger's
    [job] = BODY.values()
    assert set(job) == {"stage", "image", "variables", "cache", "before_script", "script", "artifacts"}
    for line in (*job["before_script"], *job["script"]):
        assert "$[[" not in line


@pytest.mark.parametrize(
    ("inputs", "status"),
    [
        pytest.param({}, 1, id="as-it-is"),
        pytest.param({"repositories": ".\n./gone", "fail-on": "never"}, 3, id="one-that-is-not-there"),
        pytest.param({"ignore-file": "x'; touch pwned; '"}, 2, id="no-such-file"),
    ],
)
def test_the_components_job(
    tmp_path: Path, vulnerable: Worked, dump: Path, inputs: dict[str, str], status: int
) -> None:
    defaults = {
        name: facts["default"] for name, facts in HEAD["spec"]["inputs"].items() if "default" in facts
    }
    values = {
        name: str(value).lower() if isinstance(value, bool) else value for name, value in defaults.items()
    }
    values |= {"advisories": str(dump), "package": "somewhere", **inputs}
    [job] = BODY.values()
    variables = {name: _INPUT.sub(lambda m: values[m[1]], text) for name, text in job["variables"].items()}
    variables = {
        name: text.replace("$CI_PROJECT_DIR", str(vulnerable.top)) for name, text in variables.items()
    }
    path = f"{stand_in(tmp_path / 'path')}:/usr/bin:/bin"
    script = "set -e\n" + "\n".join((*job["before_script"], *job["script"]))
    done = run(["sh", "-c", script], vulnerable.top, {**variables, "PATH": path, "CI": "true"})
    assert done.returncode == status, done.stderr
    assert not (vulnerable.top / "pwned").exists()
    assert "somewhere" in (tmp_path / "path" / "installed").read_text()
    if status != 2:
        reports = vulnerable.top / "cortex-git-reports"
        assert sorted(file.name for file in reports.iterdir()) == ["scan.html", "scan.json", "scan.sarif"]
        assert json.loads((reports / "scan.json").read_text())["cves_found"] == 1


# pre-commit's hooks


def test_the_file_for_pre_commit_is_up_to_date() -> None:
    text = pre_commit_hooks.PAGE.read_text(encoding="utf-8")
    assert text == pre_commit_hooks.text(), "run: PYTHONPATH=. python scripts/pre_commit_hooks.py"
    hooks = yaml.safe_load(text)
    assert {hook["id"] for hook in hooks} == {"cortex-git-scan", "cortex-git-guard"}
    known = {command.path for command in command_reference.commands()}
    assert {hook["entry"].removeprefix("cortex-git ") for hook in hooks} <= known


@pytest.mark.skipif(
    shutil.which("pre-commit", path=BESIDE) is None, reason="the pre-commit framework is not installed"
)
def test_pre_commit_runs_them(tmp_path: Path, vulnerable: Worked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The framework with our file, but for the environment it would install from the network."""
    monkeypatch.setenv("PATH", BESIDE)
    done = run(["pre-commit", "validate-manifest", str(pre_commit_hooks.PAGE)], tmp_path)
    assert done.returncode == 0, done.stdout
    hooks = [
        {
            **hook,
            "language": "system",
            "entry": hook["entry"].replace("cortex-git", f"{shlex.quote(sys.executable)} -m cortex_git"),
        }
        for hook in yaml.safe_load(pre_commit_hooks.text())
    ]
    for hook in hooks:
        hook.pop("minimum_pre_commit_version")
    config = vulnerable.write(
        ".pre-commit-config.yaml", json.dumps({"repos": [{"repo": "local", "hooks": hooks}]})
    )
    vulnerable.write("key", "AKIA" + "IOSFODNN7QYXAMPL")
    vulnerable.git("add", str(config), "key")
    everything = run(["pre-commit", "run", "--all-files"], vulnerable.top)
    assert everything.returncode == 1
    assert "lodash" in everything.stdout  # a file that did not change counts in full
    assert "key:1: looks like a secret" in everything.stdout
    staged = run(["pre-commit", "run", "cortex-git-scan"], vulnerable.top)
    assert (staged.returncode, "Skipped" in staged.stdout) == (0, True)
    refs = ["--from-ref", "HEAD~1", "--to-ref", "HEAD", "--hook-stage", "pre-push"]
    pushed = run(["pre-commit", "run", *refs, "cortex-git-scan"], vulnerable.top)
    assert (pushed.returncode, "lodash" in pushed.stdout) == (1, True)


# The script for cron


def test_a_night(tmp_path: Path, vulnerable: Worked, dump: Path, own_folders: Path) -> None:
    path = tmp_path / "path"
    path.mkdir()
    (path / "cortex-git").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cortex_git "$@"\n')
    (path / "cortex-git").chmod(0o755)
    subprocess.run(
        [path / "cortex-git", "advisories", "update", "--from", dump], check=True, capture_output=True
    )
    (own_folders / "config").mkdir(exist_ok=True)
    (own_folders / "config" / "config.toml").write_text('advisories_url = "/gone"\n')
    repositories = tmp_path / "repositories"
    repositories.write_text(f"{vulnerable.top}\n")
    folder = tmp_path / "reports"
    command = ["sh", str(CHECKOUT / "docs/examples/nightly-scan.sh"), str(repositories), str(folder)]
    environment = {"PATH": f"{path}:/usr/bin:/bin"}
    first = run(command, tmp_path, environment)
    assert first.returncode == 1
    assert "new findings at or above high (Critical: 1, High: 0," in first.stdout
    assert "were not updated" in first.stdout  # the database of before serves
    assert "not scanned" not in first.stdout
    assert {file.suffix for file in folder.iterdir()} == {".html", ".sarif", ".txt", ".json", ".log", ""}
    repositories.write_text(f"{vulnerable.top}\n./gone\n")
    vulnerable.commit("more/package-lock.json", lock(lodash=VULNERABLE))
    both = run(command, tmp_path, environment)
    assert both.returncode == 3
    assert "new findings at or above high" in both.stdout
    assert "Not scanned (1):" in both.stdout
    later = run(command, tmp_path, environment)
    assert later.returncode == 3
    assert "findings" not in later.stdout  # known since last night, in spite of the gap
    assert "Not scanned (1):\n  - " in later.stdout
    assert "gone" in later.stdout
    with (folder / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = run(command, tmp_path, environment)
    assert (refused.returncode, refused.stdout) == (3, "the scan of another night still runs\n")
