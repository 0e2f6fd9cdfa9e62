"""Projects below a JavaScript lockfile that it does not serve."""

import json

import pytest

from cortex_git.scan.gap_kinds import NO_LOCKFILE
from cortex_git.scan.lockfiles import read_lockfile
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Source

ASKS = json.dumps({"dependencies": {"lodash": "^4"}})
NPM = json.dumps({"lockfileVersion": 3, "packages": {"": {}, "web": {}, "node_modules/web": {"link": True}}})
PNPM = "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n\n  'web':\n    dependencies: {}\n\npackages: {}\n"
BERRY = '__metadata:\n  version: 8\n\n"web@workspace:web":\n  version: 0.0.0-use.local\n'
V1 = "# yarn lockfile v1\n\n"


@pytest.mark.parametrize(
    ("name", "lockfile", "own", "unserved"),
    [
        ("package-lock.json", NPM, "{}", ["demo/package.json"]),
        ("package-lock.json", '{"lockfileVersion": 1, "dependencies": {}}', "{}", []),
        ("pnpm-lock.yaml", PNPM, "{}", ["demo/package.json"]),
        ("yarn.lock", BERRY, "{}", ["demo/package.json"]),
        ("yarn.lock", V1, "{}", ["demo/package.json", "web/package.json"]),
        ("yarn.lock", V1, '{"workspaces": ["*"]}', []),
        ("package-lock.json", "{", "{}", []),
    ],
    ids=["npm", "npm-1", "pnpm", "berry", "yarn-1", "yarn-1-workspaces", "damaged"],
)
@pytest.mark.parametrize("folder", ["", "app/"])
def test_a_lockfile_serves_the_projects_that_it_names(
    name: str, lockfile: str, own: str, unserved: list[str], folder: str
) -> None:
    files = {"package.json": own, "web/package.json": ASKS, "demo/package.json": ASKS}
    files["marker/package.json"] = '{"type": "module"}'
    below = {folder + path: text.encode() for path, text in files.items()}
    manifests = tuple(sorted(path for path in below if path != f"{folder}package.json"))
    found = read_lockfile(folder + name, lockfile.encode(), below.get, manifests).open_lists
    assert found == tuple((folder + path, NO_LOCKFILE) for path in unserved)


def test_a_project_below_counts_where_no_nearer_lockfile_serves_it(make_repository, database) -> None:
    lock = '{"lockfileVersion": 3, "packages": {"": {}}}'
    files = {"package.json": "{}", "package-lock.json": lock, "odd/demo/package.json": ASKS}
    files |= {"own/package.json": "{}", "own/package-lock.json": lock, "own/deep/package.json": ASKS}
    row = scan_repository(Source("r", str(make_repository(files))), database=database)
    assert {gap.path: gap.kind for gap in row.not_scanned if gap.path} == {
        "odd/demo/package.json": NO_LOCKFILE,
        "own/deep/package.json": NO_LOCKFILE,
    }
