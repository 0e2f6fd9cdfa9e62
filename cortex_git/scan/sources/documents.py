"""A list of repositories in YAML or JSON, as people have it from multi-gitter, all-repos and their like.

Owns the forms: a list of addresses, a mapping of name to address (all-repos), `repo:` with `owner/name`s
and `org:`, `group:` and `user:` (multi-gitter), `repos:` with addresses or mappings of `url`. Must never
read past something that chooses repositories and is not understood, take a token from the file, nor let
it say where the person's token is sent.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cortex_git.errors import BadInput
from cortex_git.scan.sources.addresses import checked_ref, parse_source
from cortex_git.scan.sources.candidates import Candidate, Owner, name_of
from cortex_git.scan.sources.forges import GITHUB, GITLAB, forge_of

if TYPE_CHECKING:
    import yaml

_FORMS = "see docs/scan-sources.md for the forms"
MOST_NODES = 1_000_000
MOST_DEPTH = 20
_DOCUMENT = re.compile(r"[\[{]|---|- |-$|[A-Za-z0-9_.\"'][^\s:]*[\"']?:(?: |$)")
_OWNER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.-]+)+")
_SEARCHES = ("repo-search", "code-search", "topic", "repo-include", "repo-exclude")
_MULTI_GITTER = {"repo", "project", "org", "group", "user", "skip-repo", *_SEARCHES}
_REF_KEYS = ("ref", "branch", "tag")
_ADDRESS = re.compile(r"[./~]|[A-Za-z][A-Za-z0-9+.-]*::?(?://)?.|[^@/:\s]+@[^/:\s]+:.|[^@/:\s]+:.")


@dataclass
class Document:
    """What a file names."""

    candidates: list[Candidate] = field(default_factory=list)
    owners: list[Owner] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def is_document(text: str) -> bool:
    """Whether the first line with anything on it is of YAML or JSON, and not a repository."""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            return _DOCUMENT.match(stripped) is not None
    return False


def read_document(text: str, where: str, base: Path, web: Callable[[str], str]) -> Document:
    """The repositories and owners that a document names. Relative paths count from `base`.

    `where`: the file, for errors. `web`: gives for `github` or `gitlab` what the addresses of its
    repositories begin with. Raises BadInput with file and line.
    """
    return _Reader(where, base, web).read(text)


class _Reader:
    def __init__(self, where: str, base: Path, web: Callable[[str], str]) -> None:
        self._where = where
        self._base = base
        self._web = web
        self._found = Document()

    def read(self, text: str) -> Document:
        root = self._root(text)
        if root is None or _is_empty(root):
            return self._found
        if _is_list(root):
            self._list(root)
        elif _is_mapping(root):
            self._mapping(root)
        else:
            raise self._wrong(root, "is neither a list nor a mapping")
        return self._found

    def _root(self, text: str) -> "yaml.Node | None":
        if text.lstrip()[:1] in ("{", "["):
            try:
                json.loads(text)
            except (ValueError, RecursionError) as error:
                line = getattr(error, "lineno", 1)
                raise BadInput(f"{self._where}:{line}: not valid JSON", "correct the file") from None
            text = text.replace("\t", " ")  # between the values only; PyYAML has no tabs there
        return _composed(text, self._where)

    def _mapping(self, root: "yaml.Node") -> None:
        keys = {key: value for key, _, value in self._items(root)}
        if {"source", "source_settings"} <= keys.keys():
            raise BadInput(
                f"{self._where} is a configuration of all-repos",
                "give the repos.json or repos_filtered.json in its output_dir",
            )
        if keys.keys() & _MULTI_GITTER:
            self._multi_gitter(root, keys)
            return
        for name in ("repos", "repositories"):
            if name in keys and not _is_text(keys[name]):
                self._repos(keys[name])
                return
        for key, _, value in self._items(root):
            self._add(self._text(value), value, name=key, mapped=True)

    def _repos(self, node: "yaml.Node") -> None:
        if _is_list(node):
            self._list(node)
            return
        if not _is_mapping(node):
            raise self._wrong(node, "is no list of repositories")
        for name, _, value in self._items(node):
            if _is_mapping(value):
                self._entry(value, name)
            else:
                self._add(self._text(value), value, name=name)

    def _list(self, node: "yaml.Node") -> None:
        for item in node.value:
            if _is_mapping(item):
                self._entry(item, None)
            else:
                self._add(self._text(item), item)

    def _entry(self, node: "yaml.Node", name: str | None) -> None:
        """A mapping with `url` (or `repo`, `remote`), and perhaps the ref and the name."""
        keys = {key: value for key, _, value in self._items(node)}
        address = next((keys[key] for key in ("url", "repo", "remote") if key in keys), None)
        if address is None:
            raise self._wrong(node, "has no url")
        ref = next((keys[key] for key in _REF_KEYS if key in keys and not _is_empty(keys[key])), None)
        self._add(self._text(address), address, ref=self._text(ref) if ref is not None else None, name=name)

    def _multi_gitter(self, root: "yaml.Node", keys: "dict[str, yaml.Node]") -> None:
        for key, at, value in self._items(root):
            if key in _SEARCHES and not _is_empty(value):
                raise self._wrong(
                    at, f"{key} is not understood", "leave it out, and use --match or --exclude"
                )
        kind = self._platform(keys)
        skipped = {text.lower() for text, _ in self._texts(keys.get("skip-repo"))}
        for key in ("repo", "project"):
            for text, node in self._texts(keys.get(key)):
                if text.lower() not in skipped:
                    self._add_named(kind, text, node)
        ssh = self._flag(keys, "ssh-auth")
        for key in ("org", "group", "user"):
            for text, _ in self._texts(keys.get(key)):
                deep = kind == GITLAB and self._flag(keys, "include-subgroups")
                self._found.owners.append(
                    Owner(kind, text, subgroups=deep, ssh=ssh, skipped=frozenset(skipped))
                )
        if "token" in keys and not _is_empty(keys["token"]):
            self._found.notes.append(f"{self._where}: its token is not used, only the environment's")

    def _platform(self, keys: "dict[str, yaml.Node]") -> str:
        node = keys.get("platform")
        kind = self._text(node) if node is not None and not _is_empty(node) else GITHUB
        if kind not in (GITHUB, GITLAB) and node is not None:
            raise self._wrong(node, f"platform {kind[:40]!r} cannot be listed", "github and gitlab can")
        base = keys.get("base-url")
        if base is not None and not _is_empty(base) and self._other_server(kind, self._text(base)):
            what = "names a server, which a file may not choose"
            raise self._wrong(base, what, f"give --{kind}-url too, with the same")
        return kind

    def _other_server(self, kind: str, address: str) -> bool:
        try:
            return forge_of(kind, address, {}).web != self._web(kind)
        except BadInput:
            return True

    def _add_named(self, kind: str, text: str, node: "yaml.Node") -> None:
        if not _OWNER_NAME.fullmatch(text):
            raise self._wrong(node, "is not owner/name")
        self._add(f"{self._web(kind)}/{text}", node, name=text)

    def _add(
        self,
        text: str,
        node: "yaml.Node",
        *,
        ref: str | None = None,
        name: str | None = None,
        mapped: bool = False,
    ) -> None:
        """A repository by its address or path (from `.`, `/` or `~` on), or `owner/name` on GitHub."""
        text = text.strip()
        if _OWNER_NAME.fullmatch(text) and not mapped:
            text = f"{self._web(GITHUB)}/{text}"
        elif not _ADDRESS.match(text):
            # Not quoted: what is no address may be a secret of another file.
            raise self._wrong(node, "is no repository", "write an address, or a path that begins with ./")
        try:
            source = parse_source(text, self._base)
            if ref is not None and source.ref is None:
                source = type(source)(source.repo, source.url, checked_ref(ref))
        except BadInput as error:
            raise BadInput(f"{self._at(node)}: {error.message}", error.hint) from None
        self._found.candidates.append(Candidate(source, name if name and "/" in name else name_of(source)))

    def _items(self, node: "yaml.Node") -> "Iterator[tuple[str, yaml.Node, yaml.Node]]":
        seen = set()
        for key, value in node.value:
            text = self._text(key)
            if text in seen:
                raise self._wrong(key, "has the same name as a line before it")
            seen.add(text)
            yield text, key, value

    def _texts(self, node: "yaml.Node | None") -> "Iterator[tuple[str, yaml.Node]]":
        """The texts of a list, or the one text."""
        if node is None or _is_empty(node):
            return
        for item in node.value if _is_list(node) else [node]:
            if not _is_empty(item):
                yield self._text(item).strip(), item

    def _text(self, node: "yaml.Node") -> str:
        if not _is_text(node) or _is_empty(node):
            raise self._wrong(node, "is not a text")
        return str(node.value)

    def _flag(self, keys: "dict[str, yaml.Node]", name: str) -> bool:
        node = keys.get(name)
        return node is not None and _is_text(node) and str(node.value).lower() in ("true", "yes", "on")

    def _at(self, node: "yaml.Node") -> str:
        return f"{self._where}:{node.start_mark.line + 1}"

    def _wrong(self, node: "yaml.Node", what: str, hint: str = _FORMS) -> BadInput:
        return BadInput(f"{self._at(node)}: {what}", hint)


def _composed(text: str, where: str) -> "yaml.Node | None":
    """The document's nodes, which know their lines. Aliases are refused: they can stand for endless lists."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for count, event in enumerate(yaml.parse(text, Loader=loader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                line = getattr(event.start_mark, "line", 0) + 1
                raise BadInput(f"{where}:{line}: uses a YAML alias", "write it out")
            if depth > MOST_DEPTH or count > MOST_NODES:
                raise BadInput(f"{where}: is nested too deeply or too long", "give a plainer file")
        found: Any = yaml.compose(text, Loader=loader)
        return found  # type: ignore[no-any-return]
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise BadInput(f"{where}{line}: not valid YAML", "correct the file") from None


def _id(node: "yaml.Node") -> str:
    return str(getattr(node, "id", ""))


def _is_list(node: "yaml.Node") -> bool:
    return _id(node) == "sequence"


def _is_mapping(node: "yaml.Node") -> bool:
    return _id(node) == "mapping"


def _is_text(node: "yaml.Node") -> bool:
    return _id(node) == "scalar"


def _is_empty(node: "yaml.Node") -> bool:
    """null, or nothing at all, such as the `key:` that a template leaves."""
    if _is_text(node):
        return str(node.tag).endswith(":null") or node.value == ""
    return not node.value
