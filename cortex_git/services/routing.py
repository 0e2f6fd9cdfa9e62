"""The router of a coordination repository, or the one with defaults outside of any.

Owns which layers there are and when they load: a text that keywords decide loads nothing more.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cortex_git.config import Settings, load_host_settings
from cortex_git.errors import BadInput
from cortex_git.llm import NoKey
from cortex_git.llm.keys import key_for
from cortex_git.locating import located
from cortex_git.routing import Decision, Layer, LayerName, Opinion, Request
from cortex_git.routing.experts import OUR_NAMES, Expert, experts_of
from cortex_git.routing.keywords import Keywords
from cortex_git.routing.nudged import Nudged
from cortex_git.routing.router import Router

if TYPE_CHECKING:
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.repository import Repository

_CHUNK = 512
"""Lines that are routed together."""


class Later:
    """A layer that is loaded when it is first asked."""

    def __init__(self, name: LayerName, load: Callable[[], Layer]) -> None:
        self.name = name
        self._load = load
        self._layer: Layer | None = None

    def opinions(self, texts: list[str]) -> list[Opinion]:
        """The layer's own."""
        if self._layer is None:
            self._layer = self._load()
        return self._layer.opinions(texts)


def router_here(explicit: Path | None, *, ask_model: bool = True) -> Router:
    """The router of the repository that a command means, or the one with defaults where there is none."""
    folder = located(explicit)
    if folder is None:
        return router_for(None, ask_model=ask_model)
    from cortex_git.services import open_coordination

    return router_for(open_coordination(folder), ask_model=ask_model)


def router_for(coordination: "Coordination | None", *, ask_model: bool = True) -> Router:
    """The router by the repository's settings; `ask_model` False leaves Claude out whatever they say."""
    settings = coordination.repository.settings if coordination is not None else Settings()
    experts = experts_of(settings)
    more = {name: expert.keywords or {} for name, expert in experts.items()}
    words = Keywords.load(more)
    semantic = Later("semantic", partial(_semantic, coordination, experts))
    layers: list[Layer] = [words, Nudged(words, semantic)]
    if coordination is not None and ask_model and can_ask(settings):
        layers.append(Later("claude", partial(_claude, coordination, experts)))
    return Router(experts, layers, settings.routing, settings.models)


def decide_file(router: Router, path: str) -> Iterator[Decision]:
    """Decisions on a file of one `{"text": …}` a line (`-`: stdin), in its order and as they are made.

    Raises BadInput with the file and the line.
    """
    waiting: list[Request] = []
    for request in _requests(path):
        waiting.append(request)
        if len(waiting) == _CHUNK:
            yield from router.decide_all(waiting)
            waiting = []
    yield from router.decide_all(waiting)


def _requests(path: str) -> Iterator[Request]:
    """What the lines ask; empty ones are passed over."""
    where = "stdin" if path == "-" else path
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _request(line, f"{where}:{number}")
    except OSError as error:
        raise BadInput(f"{where} cannot be read: {error.strerror}", "give a file of JSON lines") from error


def _opened(path: str) -> AbstractContextManager[Iterable[bytes]]:
    return nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb")


def _request(line: bytes, where: str) -> Request:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: not valid JSON: {error}", 'write {"text": "…"}, one a line') from error
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise BadInput(f"{where}: no text", 'write {"text": "…"}, one a line')
    labels = value.get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise BadInput(f"{where}: labels: not a list of texts", 'write "labels": ["docs"]')
    return Request(text, tuple(labels))


def _claude(coordination: "Coordination", experts: Mapping[str, Expert]) -> Layer:
    from cortex_git.services.route_model import model_layer

    return model_layer(coordination, experts)


def own_model(repository: "Repository") -> Path:
    """Where this host's own model of the second layer is, if it has one."""
    return repository.private / "routing" / "model.bin"


def _semantic(coordination: "Coordination | None", experts: Mapping[str, Expert]) -> Layer:
    """The local classifier: this host's own model where it has one, else the packaged one."""
    from cortex_git.routing.semantic import Semantic

    layer = None
    if coordination is not None:
        path = own_model(coordination.repository)
        with suppress(BadInput):  # of another version, or damaged: `route train` makes it anew
            layer = Semantic.load(path) if path.exists() else None
    return (layer or Semantic.load()).with_experts(_examples(coordination, experts))


def _examples(
    coordination: "Coordination | None", experts: Mapping[str, Expert]
) -> dict[str, tuple[str, ...]]:
    """Sentences for experts by settings: their examples, and what people here said is for them."""
    found = {name: list(expert.examples) for name, expert in experts.items()}
    others = experts.keys() - set(OUR_NAMES)
    if coordination is not None and others:
        from cortex_git.services.route_feedback import listed_feedback

        for one in listed_feedback(coordination.repository):
            for name in others & set(one.experts):
                found[name].append(one.text)
    return {name: tuple(texts) for name, texts in found.items() if texts}


def can_ask(settings: Settings) -> bool:
    """Whether there is a model to ask: the settings want it, and this host has a key."""
    if not settings.routing.ask_model:
        return False
    try:
        key_for("claude", load_host_settings().claude)
    except NoKey:
        return False
    return True
