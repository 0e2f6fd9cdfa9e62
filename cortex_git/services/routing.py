"""The router of a coordination repository, or the one with defaults outside of any.

Owns which layers there are and when they load: a text that keywords decide loads nothing more.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cortex_git.config import Settings, load_host_settings
from cortex_git.llm import NoKey
from cortex_git.llm.keys import key_for
from cortex_git.locating import located
from cortex_git.routing import Layer, LayerName, Opinion
from cortex_git.routing.experts import Expert, experts_of
from cortex_git.routing.keywords import Keywords
from cortex_git.routing.router import Router

if TYPE_CHECKING:
    from cortex_git.store.coordination import Coordination


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
    layers: list[Layer] = [Keywords.load(more)]
    if find_spec("cortex_git.routing.semantic") is not None:
        layers.append(Later("semantic", _semantic))
    if coordination is not None and ask_model and can_ask(settings):
        layers.append(Later("claude", partial(_claude, coordination, experts)))
    return Router(experts, layers, settings.routing, settings.models)


def _claude(coordination: "Coordination", experts: Mapping[str, Expert]) -> Layer:
    from cortex_git.services.route_model import model_layer

    return model_layer(coordination, experts)


def _semantic() -> Layer:
    return cast(Layer, import_module("cortex_git.routing.semantic").Semantic.load())


def can_ask(settings: Settings) -> bool:
    """Whether there is a model to ask: the settings want it, and this host has a key."""
    if not settings.routing.ask_model:
        return False
    try:
        key_for("claude", load_host_settings().claude)
    except NoKey:
        return False
    return True
