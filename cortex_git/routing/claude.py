"""Layer 3: a model's opinion on a text that the local layers are not sure about, in one small call.

Owns what the model is told and what its answer may mean: a score for each expert, and nothing else that a
hostile text could have it say. Must never send anything itself: whoever made the layer asks, and pays.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from secrets import token_hex
from typing import Any

from cortex_git.errors import CortexError
from cortex_git.llm import Block, Reply, Request
from cortex_git.routing import LayerName, Opinion
from cortex_git.routing.decision import ranked
from cortex_git.routing.experts import Expert

Ask = Callable[[Request], Reply]
"""Sends a request within budget and limits. Raises CortexError where there is no answer."""

MOST_TEXT = 4000
"""Characters of a text that are sent: its beginning, and a quarter from its end."""
MOST_ASKED = 20
"""Texts that one layer sends: a file of thousands would spend the budget on guesses."""
CALIBRATION = 0.9
"""What a model says of itself is too sure: its score is taken at nine tenths, so at most at 90."""
_TOOL = "route"
_MOST_EXPERTS = 40
_MOST_WORDS = 300
"""Characters of what the settings say of an expert."""
_OUTPUT_EACH, _OUTPUT = 24, 96
"""Tokens of an answer: for each expert, and for what stands around them."""

OURS = {
    "security": "confidentiality, integrity, abuse: vulnerabilities, secrets, who may do what, weak"
    " cryptography, hardening, anything that lets the wrong person see or do something",
    "development": "code: bugs, features, refactoring, performance, tests, builds, interfaces, releases",
    "inventory": "what there is, in which version, under which terms: dependencies and their updates,"
    " lockfiles, licences, lists of services, repositories, owners and images",
    "documentation": "text for people: guides, reference, docstrings, examples, changelogs, wording, typos,"
    " broken links, translations",
}


class Claude:
    """A model's opinion. Satisfies Layer."""

    name: LayerName = "claude"

    def __init__(self, experts: Mapping[str, Expert], model: str, ask: Ask) -> None:
        self._names = list(experts)[:_MOST_EXPERTS]
        self._system = _system({name: described(experts[name]) for name in self._names})
        self._model = model
        self._ask = ask
        self._asked = 0
        self._stopped = ""
        """Why no more are asked."""

    def opinions(self, texts: list[str]) -> list[Opinion]:
        """An opinion on each of the texts, one call each. Without scores where there is none, and why.

        After a call that failed no other is tried: what was in its way is in theirs.
        """
        return [self._opinion_on(text) for text in texts]

    def _opinion_on(self, text: str) -> Opinion:
        if self._asked == MOST_ASKED:
            self._stopped = self._stopped or f"it is asked for {MOST_ASKED} texts of one command at most"
        if self._stopped:
            return Opinion((), (f"claude was not asked: {self._stopped}",))
        self._asked += 1
        try:
            reply = self._ask(self.request(text))
        except CortexError as error:
            self._stopped = _line(str(error))
            return Opinion((), (f"claude gave no answer: {self._stopped}",))
        return self._opinion(reply)

    def request(self, text: str) -> Request:
        """The call for a text."""
        mark = f"request-{token_hex(6)}"
        marked = f"<{mark}>\n{cut(text)}\n</{mark}>"
        return Request(
            self._model,
            self._system,
            [{"role": "user", "content": [{"type": "text", "text": marked}]}],
            _OUTPUT + _OUTPUT_EACH * len(self._names),
            tools=[_tool(self._names)],
            must_use=_TOOL,
        )

    def _opinion(self, reply: Reply) -> Opinion:
        given = scores_in(reply, self._names)
        if given is None:
            return Opinion((), ("claude's answer cannot be used: it does not score the experts",))
        told = ", ".join(f"{name} {score:g}" for name, score in given.items() if score > 0)
        scores = ranked({name: score * CALIBRATION for name, score in given.items()})
        return Opinion(scores, (f"{self._model} says {told or 'none of them'}",))


def scores_in(reply: Reply, names: list[str]) -> dict[str, float] | None:
    """The scores that an answer gives, 0 for an expert that it leaves out; None where it cannot be used."""
    uses = [block for block in reply.content if _is_use(block)]
    if len(uses) != 1 or reply.stop == "max_tokens":
        return None
    said = uses[0].get("input")
    given = said.get("scores") if isinstance(said, dict) else None
    if not isinstance(given, dict):
        return None
    known = {name: given[name] for name in names if name in given}
    if not known or not all(map(_is_score, known.values())):
        return None
    return {name: float(known.get(name, 0)) for name in names}


def described(expert: Expert) -> str:
    """What the model is told of an expert; of one by settings its words and examples, cut."""
    if expert.name in OURS:
        return OURS[expert.name]
    words = [word for word, weight in (expert.keywords or {}).items() if weight > 0]
    parts = [", ".join(words[:20])] if words else []
    if expert.examples:
        parts.append("such as " + "; ".join(expert.examples[:5]))
    return _line(". ".join(parts))[:_MOST_WORDS]


def cut(text: str) -> str:
    """As much of the text as is sent, in characters that can be."""
    clean = text.encode("utf-8", "replace").decode().replace("\0", " ")
    if len(clean) <= MOST_TEXT:
        return clean
    tail = MOST_TEXT // 4
    return f"{clean[: MOST_TEXT - tail]}\n[…]\n{clean[-tail:]}"


@cache
def _rules() -> str:
    return (files("cortex_git.routing") / "claude.md").read_text(encoding="utf-8").strip()


def _system(experts: Mapping[str, str]) -> str:
    """The same for every text, and so cached by the provider."""
    return "\n".join([_rules(), *(f"- {name}: {words}" for name, words in experts.items())])


def _tool(names: list[str]) -> dict[str, Any]:
    score = {"type": "integer", "minimum": 0, "maximum": 100}
    scores = {
        "type": "object",
        "properties": dict.fromkeys(names, score),
        "required": names,
        "additionalProperties": False,
    }
    return {
        "name": _TOOL,
        "description": "How much the request needs each expert, 0 to 100.",
        "input_schema": {
            "type": "object",
            "properties": {"scores": scores},
            "required": ["scores"],
            "additionalProperties": False,
        },
    }


def _is_use(block: Block) -> bool:
    return block.get("type") == "tool_use" and block.get("name") == _TOOL


def _is_score(value: object) -> bool:
    """Not a truth value, which Python counts as a number, nor one of JSON's that is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def _line(text: str) -> str:
    return " ".join(text.split())
