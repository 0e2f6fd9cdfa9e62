"""Who a text is for: what it says itself, else the first layer that is sure.

Owns the order of the layers and what a decision holds. A sensitive text is never shown to a layer that
sends it somewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cortex_git.config import Models, RoutingSettings
from cortex_git.routing import Decision, Layer, LayerName, Opinion, Request, Scored
from cortex_git.routing.complexity import complexity
from cortex_git.routing.decision import MOST, Choice, accepted, fallback
from cortex_git.routing.experts import Expert
from cortex_git.routing.given import Given, Naming
from cortex_git.routing.pieces import Pieces, pieces, together
from cortex_git.routing.sensitivity import sensitive
from cortex_git.routing.worker_types import choose

SENDS: frozenset[LayerName] = frozenset({"claude"})
"""Layers that send the text to somebody."""

HASTY: frozenset[LayerName] = frozenset({"keywords"})
"""Layers that decide on a text with several pieces only where they are sure of each."""

FEW = 4
"""Words from which on a text may be for several experts, though it does not say that they are several."""

MOST_READ = 4000
"""Characters of a text that layers read; what is to be done is said by then."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision with what each layer said on the way to it."""

    decision: Decision
    opinions: Mapping[LayerName, Opinion]


@dataclass(slots=True)
class _Open:
    """A text that is on its way through the layers."""

    request: Request
    secret: str | None
    """What is sensitive in it."""
    notes: list[str]
    opinions: dict[LayerName, Opinion]
    layer: LayerName = "keywords"
    choice: Choice | None = None
    pieces: Pieces | None = None
    together: tuple[str, ...] = ()
    """Experts that the pieces ask for, as the last layer sees it."""
    is_settled: bool = False

    @property
    def text(self) -> str:
        """What layers read: its beginning, and only what is text."""
        return self.request.text[:MOST_READ].encode("utf-8", "replace").decode()

    def texts(self, layer: Layer) -> list[str]:
        """What the layer is to judge beside the text; one that sends it judges it as a whole."""
        return self.pieces.texts if self.pieces and layer.name not in SENDS else []


class Router:
    """Asks layer after layer. Loaded once; the layers may load what they need at their first text."""

    def __init__(
        self,
        experts: Mapping[str, Expert],
        layers: Sequence[Layer],
        settings: RoutingSettings,
        models: Models,
    ) -> None:
        self.experts = experts
        self._layers = layers
        self._settings = settings
        self._models = models
        self._naming = Naming(experts)

    def decide(self, request: Request) -> Decision:
        return self.decide_all([request])[0]

    def decide_all(self, requests: list[Request]) -> list[Decision]:
        """A decision on each request, in their order; each as it would be alone."""
        return [explained.decision for explained in self._explained(requests, every_layer=False)]

    def explain(self, request: Request) -> Explained:
        """The decision, with the opinions also of the local layers that were not needed for it."""
        return self._explained([request], every_layer=True)[0]

    def _explained(self, requests: list[Request], *, every_layer: bool) -> list[Explained]:
        given = [self._naming.given(request) for request in requests]
        texts = [_Open(request, _secret(request), self._notes(request), {}) for request in requests]
        for one in texts:
            one.pieces = pieces(one.text)
        undecided = [one for one, found in zip(texts, given, strict=True) if found is None]
        for layer in self._layers:
            asked = [one for one in undecided if one.choice is None]
            if every_layer and layer.name not in SENDS:
                asked = texts
            self._ask(layer, asked)
        return [
            Explained(self._given(one, found) if found else self._decided(one), one.opinions)
            for one, found in zip(texts, given, strict=True)
        ]

    def _ask(self, layer: Layer, asked: list[_Open]) -> None:
        if layer.name in SENDS:
            for one in asked:
                if one.secret:
                    one.notes.append(f"{layer.name} is not asked: the text is sensitive ({one.secret})")
            asked = [one for one in asked if not one.secret]
        if not asked:
            return
        for one, opinion in zip(asked, self._opinions(layer, asked), strict=True):
            if not opinion.scores:
                one.notes += opinion.reasons
                continue
            one.opinions[layer.name] = opinion
            if one.choice is None:
                one.choice = self._choice(layer, one, opinion)
                one.layer = layer.name

    def _choice(self, layer: Layer, one: _Open, opinion: Opinion) -> Choice | None:
        if layer.name in SENDS:
            return accepted(opinion, self._settings)
        if layer.name in HASTY and one.pieces and not one.is_settled:
            return None
        choice = accepted(opinion, self._settings, one.together)
        if choice is not None and choice.strategy == "multi_expert_parallel" and not one.together:
            return choice if len(one.text.split()) >= FEW else None
        return choice

    def _opinions(self, layer: Layer, asked: list[_Open]) -> list[Opinion]:
        """The layer's opinion on each text, those on its pieces taken into account."""
        texts = [text for one in asked for text in (one.text, *one.texts(layer))]
        found = iter(layer.opinions(texts))
        opinions: list[Opinion] = []
        for one in asked:
            whole, *parts = [next(found) for _ in range(1 + len(one.texts(layer)))]
            if one.pieces and parts:
                both = together(one.pieces, whole, parts, self._settings.multi_above)
                whole, one.together, one.is_settled = both.opinion, both.experts, both.is_settled
            opinions.append(whole)
        return opinions

    def _notes(self, request: Request) -> list[str]:
        unknown = self._naming.unknown(request.text)
        return [f"type:{unknown} names no expert and no worker type"] if unknown else []

    def _given(self, one: _Open, given: Given) -> Decision:
        most = min(self._settings.most_experts, MOST)
        experts = tuple(Scored(name, 100.0) for name in given.experts[:most])
        choice = Choice(
            "single_expert" if len(experts) == 1 else "multi_expert_parallel", experts, given.reason
        )
        types = [
            choose(self.experts[s.expert].worker_types, given.rest, repo=one.request.repo) for s in experts
        ]
        if given.worker_type:
            types[0] = given.worker_type
        return self._made(one, choice, "given", types, {s.expert: s.score for s in experts})

    def _decided(self, one: _Open) -> Decision:
        opinion = one.opinions.get(one.layer, Opinion(()))
        choice = one.choice or fallback(opinion, self._settings, one.together)
        types = [
            choose(self.experts[scored.expert].worker_types, one.request.text, repo=one.request.repo)
            for scored in choice.experts
        ]
        scores = {scored.expert: scored.score for scored in opinion.scores}
        return self._made(one, choice, one.layer, types, scores, opinion.reasons)

    def _made(
        self,
        one: _Open,
        choice: Choice,
        layer: LayerName,
        types: list[str],
        scores: dict[str, float],
        reasons: tuple[str, ...] = (),
    ) -> Decision:
        rank = complexity(one.request.text, types[0], len(types))
        return Decision(
            text=one.request.text,
            strategy=choice.strategy,
            primary=choice.experts[0],
            secondary=choice.experts[1:],
            layer=layer,
            worker_types=tuple(types),
            complexity=rank,
            model=self._models.for_complexity(rank).name,
            sensitive=one.secret is not None,
            reasons=(choice.reason, *reasons, *one.notes),
            scores=scores,
        )


def _secret(request: Request) -> str | None:
    """Why the text is sensitive; None where it is not."""
    if request.sensitive is None:
        return sensitive(request.text)
    return "as given" if request.sensitive else None
