"""Builds repositories that try to run something, or to fill memory, disk and time."""

import hashlib
import os
import subprocess
import zlib
from collections.abc import Iterable
from pathlib import Path

HOOKS = (
    "post-checkout",
    "post-merge",
    "pre-auto-gc",
    "reference-transaction",
    "post-index-change",
    "fsmonitor",
)


def set_traps(repo: Path, canary: Path) -> None:
    """Give a checkout every setting and hook known to start a program: each makes the canary."""
    trap = repo / ".git" / "trap"
    trap.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{canary}'\nexit 1\n")
    trap.chmod(0o755)
    for name in HOOKS:
        (repo / ".git" / "hooks" / name).symlink_to(trap)
    config = f"""
[core]
	fsmonitor = {trap}
	sshCommand = {trap}
	gitProxy = {trap}
	pager = {trap}
	editor = {trap}
	askPass = {trap}
	hooksPath = {repo}/.git/hooks
	attributesFile = {repo}/attributes
	alternateRefsCommand = {trap}
	bare = false
[include]
	path = {repo}/.git/more
[includeIf "gitdir:/"]
	path = {repo}/.git/more
[filter "trap"]
	clean = {trap}
	smudge = {trap}
	process = {trap}
	required = true
[filter "lfs"]
	smudge = {trap}
	process = {trap}
[diff]
	external = {trap}
[diff "trap"]
	textconv = {trap}
	command = {trap}
[credential]
	helper = !{trap}
[uploadpack]
	packObjectsHook = {trap}
[alias]
	ls-tree = !{trap}
	cat-file = !{trap}
	rev-parse = !{trap}
[url "ext::{trap} "]
	insteadOf = https://
[protocol]
	allow = always
[protocol "ext"]
	allow = always
[extensions]
	partialClone = origin
	worktreeConfig = true
[remote "origin"]
	url = ext::{trap}
	promisor = true
	partialclonefilter = blob:none
	uploadpack = {trap}
[submodule "sub"]
	url = ext::{trap}
	update = !{trap}
	active = true
"""
    with (repo / ".git" / "config").open("a") as file:
        file.write(config)
    (repo / ".git" / "more").write_text(f"[core]\n\tfsmonitor = {trap}\n[alias]\n\tls-tree = !{trap}\n")
    (repo / ".git" / "config.worktree").write_text(f"[core]\n\tfsmonitor = {trap}\n")


def loose_object(repo: Path, oid: str) -> Path:
    return repo / ".git" / "objects" / oid[:2] / oid[2:]


def write_loose_blob(repo: Path, oid: str, data: bytes) -> None:
    """A loose blob whose content may not be what its id says."""
    path = loose_object(repo, oid)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(zlib.compress(b"blob %d\0" % len(data) + data))


def fast_import(repo: Path, stream: Iterable[bytes]) -> None:
    """Feed a stream that is too large to be held."""
    command = ["git", "-c", "core.compression=1", "-c", "core.bigFileThreshold=1m", "fast-import", "--quiet"]
    with subprocess.Popen(command, cwd=repo, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for part in stream:
            process.stdin.write(part)
        process.stdin.close()
    assert process.returncode == 0


def huge_file(path: str, mebibytes: int, others: dict[str, str]) -> Iterable[bytes]:
    """A commit with one file of so many MiB of spaces."""
    yield b"blob\nmark :1\ndata %d\n" % (mebibytes << 20)
    part = b" " * (1 << 20)
    for _ in range(mebibytes):
        yield part
    yield b"\ncommit refs/heads/main\ncommitter t <t@example.invalid> 1700000000 +0000\ndata 1\nx\n"
    yield b"M 100644 :1 %s\n" % path.encode()
    for name, text in others.items():
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(text), text.encode())


def many_files(count: int, others: dict[str, str]) -> Iterable[bytes]:
    """A commit with so many files in folders of 100."""
    yield b"blob\nmark :1\ndata 1\nx\n"
    yield b"commit refs/heads/main\ncommitter t <t@example.invalid> 1700000000 +0000\ndata 1\nx\n"
    for name, text in others.items():
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(text), text.encode())
    for number in range(count):
        yield b"M 100644 :1 some/folder-%d/sub/file-%d.txt\n" % (number // 100, number)


def delta_bomb(repo: Path, mebibytes: int, content: bytes) -> str:
    """Store `content` as a delta on a base of so many MiB of zeros; its blob id."""
    size = mebibytes << 20
    base_id = hashlib.sha1(b"blob %d\0" % size)
    packed = zlib.compressobj(1)
    parts = []
    for _ in range(mebibytes):
        base_id.update(bytes(1 << 20))
        parts.append(packed.compress(bytes(1 << 20)))
    delta = _number(size) + _number(len(content)) + bytes([len(content)]) + content
    pack = b"PACK" + (2).to_bytes(4, "big") + (2).to_bytes(4, "big")
    pack += _header(3, size) + b"".join(parts) + packed.flush()
    pack += _header(7, len(delta)) + base_id.digest() + zlib.compress(delta)
    pack += hashlib.sha1(pack).digest()
    command = ["git", "index-pack", "--stdin", "--fix-thin"]
    subprocess.run(command, cwd=repo, input=pack, check=True, capture_output=True)
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _header(kind: int, size: int) -> bytes:
    first, rest = kind << 4 | size & 0xF, size >> 4
    return bytes([first | 0x80]) + _number(rest) if rest else bytes([first])


def tree_bomb(repo: Path, depth: int) -> str:
    """A tree of ten entries, each the same tree of ten entries, and so on; its id."""
    blob = _hash(repo, "blob", b"x")
    oid, mode = blob, b"100644"
    for _ in range(depth):
        tree = b"".join(b"%s f%d\0" % (mode, n) + bytes.fromhex(oid) for n in range(10))
        oid, mode = _hash(repo, "tree", tree), b"40000"
    return oid


def odd_names(repo: Path, entries: dict[bytes, bytes]) -> str:
    """A tree with names that git itself would refuse to check out; its id."""
    tree = b""
    for name, data in sorted(entries.items()):
        tree += b"100644 %s\0" % name + bytes.fromhex(_hash(repo, "blob", data))
    return _hash(repo, "tree", tree)


def commit_tree(repo: Path, tree: str) -> None:
    text = f"tree {tree}\nauthor t <t@e> 1700000000 +0000\ncommitter t <t@e> 1700000000 +0000\n\nx\n"
    oid = _hash(repo, "commit", text.encode())
    (repo / ".git" / "refs" / "heads" / "main").write_text(oid + "\n")


def _hash(repo: Path, kind: str, data: bytes) -> str:
    command = ["git", "hash-object", "-t", kind, "-w", "--stdin", "--literally"]
    environment = {**os.environ, "GIT_DIR": str(repo / ".git")}
    return (
        subprocess.run(command, env=environment, input=data, capture_output=True, check=True)
        .stdout.decode()
        .strip()
    )
