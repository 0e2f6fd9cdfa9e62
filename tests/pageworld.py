"""Pages as tests look at them: what a parser finds in one."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_LOADING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"}
_VOID = {"br", "col", "hr", "input", "link", "meta"}


@dataclass
class Node:
    """One element."""

    tag: str
    attributes: dict[str, str]
    children: "list[Node | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.children)

    def all(self, *tags: str) -> "list[Node]":
        """Every element below with such a tag (any without one), in order."""
        found = []
        for one in self.children:
            if isinstance(one, Node):
                if not tags or one.tag in tags:
                    found.append(one)
                found += one.all(*tags)
        return found


@dataclass
class Parsed:
    """A page, and what could do harm in it."""

    root: Node
    source: str

    @property
    def text(self) -> str:
        """What is read: without style and script."""
        return "".join(_read(self.root))

    @property
    def scripts(self) -> int:
        return len(self.root.all("script"))

    @property
    def loads(self) -> list[str]:
        """Whatever would be fetched."""
        tags = (
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "image",
            "use",
            "video",
            "audio",
            "base",
            "foreignobject",
        )
        found = [node.tag for node in self.root.all(*tags)]
        found += [
            f"{node.tag} {name}" for node in self.root.all() for name in node.attributes if name in _LOADING
        ]
        styles = [node.text for node in self.root.all("style")]
        styles += [value for node in self.root.all() for value in node.attributes.values() if "url(" in value]
        found += [text for style in styles for text in re.findall(r"@import[^;]*|url\((?!#)[^)]*\)", style)]
        return found

    @property
    def handlers(self) -> list[str]:
        """Attributes that would run or style something."""
        return [
            name
            for node in self.root.all()
            for name in node.attributes
            if name.startswith("on") or name == "style"
        ]

    @property
    def addresses(self) -> list[str]:
        return [node.attributes["href"] for node in self.root.all() if "href" in node.attributes]

    def headings(self, *tags: str) -> list[str]:
        return [node.text for node in self.root.all(*tags)]

    def texts(self, tag: str, classes: str) -> list[str]:
        return [node.text for node in self.root.all(tag) if node.attributes.get("class") == classes]

    def rows(self, table: str) -> list[list[str]]:
        """The cells of the body of the table with such an identity."""
        for node in self.root.all("div"):
            if node.attributes.get("aria-labelledby") == f"{table}-caption":
                (body,) = node.all("tbody")
                return [[cell.text for cell in row.all("td", "th")] for row in body.all("tr")]
        raise AssertionError(f"the page has no table {table}")


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(source: str) -> Parsed:
    """The page; an element that is not closed where it should be is an error."""
    parser = _Parser()
    parser.feed(source)
    parser.close()
    assert parser.open == [parser.root]
    return Parsed(parser.root, source)


def _read(node: Node) -> list[str]:
    if node.tag in ("style", "script"):
        return []
    return [text for one in node.children for text in ([one] if isinstance(one, str) else _read(one))]
