"""Settings of the router and of experts."""

from typing import Annotated

from pydantic import Field

from cortex_git.config.sections import Section


class RoutingSettings(Section):
    """How sure the router has to be, and what may come of a decision."""

    single_above: float = Field(80.0, ge=0, le=100)
    """Score above which one expert alone may get a text."""
    clear_by: float = Field(55.0, ge=0, le=100)
    """By how much it has to be ahead of the second for that."""
    multi_above: float = Field(60.0, ge=0, le=100)
    """Score above which the likeliest experts work in parallel; below, the next layer is asked."""
    most_experts: int = Field(3, ge=1, le=8)
    general: str = "development"
    """The expert for what nobody knows."""
    ask_model: bool = True
    """Ask Claude where the local layers are not sure, on hosts that have a key."""
    max_depth: int = Field(3, ge=0, le=20)
    """Hand-offs in a row: a result at this depth asks for no further task."""
    most_follow_ups: int = Field(5, ge=0, le=50)
    """Tasks that one result may ask for."""


class ExpertSettings(Section):
    """An expert of this repository's own, or what is changed in one of ours."""

    master: str = Field("", pattern=r"^[a-z0-9-]*$")
    """Empty: `<name>-master`."""
    worker_types: list[str] = Field(default_factory=list)
    """The first is the usual one."""
    runner: str = ""
    """Empty: the worker type's own."""
    budget: int | None = Field(None, ge=0)
    """Tokens; None: the worker type's."""
    labels: list[str] = Field(default_factory=list)
    """Labels that decide outright."""
    keywords: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)
    """Words and phrases with their weights; negative ones speak against it."""
    examples: list[str] = Field(default_factory=list)
    """Sentences that are for this expert; ten or more are worth having."""
