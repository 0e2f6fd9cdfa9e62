"""Settings: those a repository shares (`coordination/config.toml`) and those of this host alone.

Owns defaults and validation. Anything that can run code or send a key somewhere may only be set in
the host's own file, because whoever can push can write the shared one.
"""

import os
import re
import tomllib
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cortex_git.errors import BadInput, NewerSchema

SCHEMA = 1
"""Version of both files; without one a file is of the first. A newer one is refused."""

AnySection = TypeVar("AnySection", bound=BaseModel)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WorkerLimits(Section):
    """What one attempt of a worker type may use."""

    tokens: int = Field(ge=0)
    minutes: float = Field(gt=0)

    @property
    def seconds(self) -> float:
        return self.minutes * 60


DEFAULT_LIMITS: dict[str, WorkerLimits] = {
    "scan-worker": WorkerLimits(tokens=8000, minutes=15),
    "fix-worker": WorkerLimits(tokens=5000, minutes=20),
    "analysis-worker": WorkerLimits(tokens=5000, minutes=15),
    "implementation-worker": WorkerLimits(tokens=10000, minutes=45),
    "test-worker": WorkerLimits(tokens=6000, minutes=20),
    "review-worker": WorkerLimits(tokens=5000, minutes=15),
    "pr-worker": WorkerLimits(tokens=4000, minutes=10),
    "documentation-worker": WorkerLimits(tokens=6000, minutes=20),
}


class Leases(Section):
    """Timing of claims, in seconds."""

    lease_s: float = Field(60.0, gt=0)
    """How long a claim survives its host's silence."""
    heartbeat_s: float = Field(20.0, gt=0)
    retry_base_s: float = Field(1.0, ge=0)
    """Wait before the second attempt; doubled for each further one, with jitter."""
    retry_max_s: float = Field(300.0, ge=0)
    give_up_s: float = Field(60.0, ge=0)
    """How long a command with nothing left to run waits for a remote that does not answer."""


class Bounds(Section):
    """The fewest and the most workers at a time."""

    min: int = Field(0, ge=0, le=64)
    max: int = Field(20, ge=1, le=64)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Window(Bounds):
    """Bounds for a part of the day, by this host's local time; it may go past midnight."""

    start: time = Field(alias="from")
    end: time = Field(alias="to")


class PoolSettings(Bounds):
    """Bounds of a pool and of each worker in it."""

    min: int = Field(5, ge=0, le=64)
    capacity: int = Field(64, ge=1)
    """Workers at full activation: what the queue is compared with."""
    policy: str = "activation"
    strategy: str = "least-loaded"
    grace_s: float = Field(5.0, ge=0)
    """Seconds between SIGTERM and SIGKILL for a worker over its time."""
    cooldown_s: float = Field(30.0, ge=0)
    """Seconds between two changes of the target."""
    settle_s: float = Field(60.0, ge=0)
    """Seconds that fewer workers must be enough before the target goes down."""
    clear_s: float = Field(3600.0, gt=0)
    """A backlog that the maximum cannot clear within this many seconds raises the alert."""
    rss_mib: float = Field(500.0, gt=0)
    """Resident memory of a worker and what it started, in MiB, above which it is replaced."""
    max_tasks: int = Field(1000, ge=1)
    """Tasks after which a worker is replaced."""
    max_age_s: float = Field(6 * 3600.0, gt=0)
    """Seconds after which a worker is replaced."""
    look_s: float = Field(5.0, gt=0)
    """Longest pause between two looks at the remote of a long-lived pool with nothing to do."""
    sample_s: float = Field(5.0, gt=0)
    """Seconds between two samples of the pool."""
    types: dict[str, Bounds] = Field(default_factory=dict)
    """Worker types with bounds of their own; all others share the pool's."""
    schedule: dict[str, Window] = Field(default_factory=dict)
    """Named parts of the day with bounds of their own, such as `day` and `night`."""


class BudgetSettings(Section):
    """Most tokens that all hosts together may spend; `budget set` changes them for everyone at once."""

    total: int = Field(1_000_000, ge=0)
    daily: int | None = Field(None, ge=0)
    """Within one day, by UTC."""
    monthly: int | None = Field(None, ge=0)
    """Within one month, by UTC."""
    masters: dict[str, int] = Field(default_factory=dict)
    """Caps of single masters, such as `security-master`."""
    batch: int | None = Field(None, ge=0)
    """Cap of every batch that has none of its own."""
    warn_at: float = Field(0.80, gt=0, le=1)
    critical_at: float = Field(0.95, gt=0, le=1)


class Rate(Section):
    """What the account may ask of one provider in a minute, for all hosts together; None: as it answers."""

    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)


def _plain_date(value: object) -> date | None:
    """A date as TOML or ISO 8601 writes it: no time of the day, and no number that would pass for one."""
    if value is None or type(value) is date:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return date.fromisoformat(value)
    raise ValueError("write a date such as 2026-11-24")


PricedOn = Annotated[date | None, BeforeValidator(_plain_date)]
"""The day that prices are of; None: nobody said."""
Dollars = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Model(Section):
    """A model and its prices, in US dollars for a million tokens."""

    name: str = Field(min_length=1)
    input: Dollars = 0.0
    output: Dollars = 0.0
    cache_write: Dollars = 0.0
    cache_read: Dollars = 0.0
    batch_factor: float = Field(0.5, ge=0, le=1)
    """What the provider's message batches cost, as a fraction of that."""
    priced_on: PricedOn = None


_PRICED_ON = date(2026, 11, 24)
"""When the prices below were taken from the provider's list."""


class Models(Section):
    """The model of each tier: the small one for tasks of a complexity below `small_below`."""

    small: Model = Model(
        name="claude-haiku-5-5",
        input=0.10,
        output=0.50,
        cache_write=0.125,
        cache_read=0.01,
        priced_on=_PRICED_ON,
    )
    large: Model = Model(
        name="claude-sonnet-5-5",
        input=2.0,
        output=10.0,
        cache_write=2.5,
        cache_read=0.10,
        priced_on=_PRICED_ON,
    )
    small_below: int = Field(4, ge=1, le=11)

    def for_complexity(self, complexity: int) -> Model:
        """The model for a task of that complexity (1 to 10)."""
        return self.small if complexity < self.small_below else self.large


class Infrastructure(Section):
    """What the machines that workers run on cost, in US dollars for an hour of one instance."""

    instance_hour_usd: Dollars | None = None
    """On demand; None: nobody said, so nothing is added up."""
    spot_hour_usd: Dollars | None = None
    workers_per_instance: int | None = Field(None, ge=1, le=64)
    """Workers that share an instance; None: all that a host has."""
    priced_on: PricedOn = None


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


class GcSettings(Section):
    """What `gc` does with work that has ended."""

    archive_after_days: float = Field(30.0, ge=0, allow_inf_nan=False)
    """Days after its last result that a batch leaves the branch."""


class Settings(Section):
    """The shared settings of one coordination repository."""

    schema_version: int = Field(SCHEMA, alias="schema", ge=1, strict=True)
    enabled: bool = True
    """False in a checkout that only shows how the folder looks; `init` makes it a real one."""
    namespace: str = Field("refs/cortex", pattern=r"^refs/[a-z0-9/_-]+$")
    branch: str = Field("main", pattern=r"^[A-Za-z0-9][A-Za-z0-9/._-]*$")
    """The branch that results are folded into."""
    fold_every_s: float = Field(10.0, gt=0)
    skip_ci: bool = True
    """Mark fold commits `[skip ci]`, so that a batch starts no pipelines."""
    leases: Leases = Leases()
    pool: PoolSettings = PoolSettings()
    limits: dict[str, WorkerLimits] = Field(default_factory=dict)
    budget: BudgetSettings = BudgetSettings()
    rates: dict[str, Rate] = Field(default_factory=dict)
    """By provider: `claude`, `openai`."""
    routing: RoutingSettings = RoutingSettings()
    gc: GcSettings = GcSettings()
    experts: dict[str, ExpertSettings] = Field(default_factory=dict)
    """By name: lower-case letters, digits and hyphens."""
    models: Models = Models()
    """Claude's; those of an OpenAI-compatible server are this host's own settings."""
    infrastructure: Infrastructure = Infrastructure()

    def limits_of(self, worker_type: str) -> WorkerLimits:
        """Tokens and minutes for a worker type; a scan worker's for a type nobody configured."""
        known = {**DEFAULT_LIMITS, **self.limits}
        return known.get(worker_type, known["scan-worker"])

    def limits_for(self, worker_type: str, tokens: int | None, minutes: float | None) -> WorkerLimits:
        """The same where a task says nothing of its own."""
        usual = self.limits_of(worker_type)
        return WorkerLimits(
            tokens=usual.tokens if tokens is None else tokens, minutes=minutes or usual.minutes
        )


class CommandEntry(Section):
    """One program that tasks may name with the `command` runner."""

    argv: list[str] = Field(min_length=1)
    environment: dict[str, str] = Field(default_factory=dict)
    folder: str | None = None
    """Working folder; an empty one of its own when unset."""


class Alerts(Section):
    """What is told when a pool's backlog passes what its maximum can clear."""

    command: list[str] = Field(default_factory=list)
    """Run with the alert as JSON on standard input."""
    webhook: str | None = None
    """URL that gets the alert as a JSON POST."""


class Provider(Section):
    """How this host reaches a provider of models."""

    base_url: str | None = None
    """None: the provider's own, or what its environment variable says."""
    key_file: str | None = None
    """A file with mode 0600 that holds the key, for when it is not in the environment."""
    timeout_s: float = Field(120.0, gt=0)
    """Longest silence within a call, after which it counts as lost."""


class OpenAI(Provider):
    """An OpenAI-compatible server, with the models it has."""

    models: Models = Models(small=Model(name="gpt-5-mini"), large=Model(name="gpt-5"))


class AgentSettings(Section):
    """What a model's tools may do on this host."""

    commands: list[str] = Field(
        default_factory=lambda: ["cargo", "go", "make", "mvn", "npm", "pytest", "python", "python3", "ruff"]
    )
    """Programs that the run tool may start, by name."""
    command_timeout_s: float = Field(300.0, gt=0)
    """Longest run of one of them."""
    turns: int = Field(40, ge=1)
    """Most calls of the model for one attempt."""
    max_output: int = Field(4096, ge=16)
    """Most tokens of one answer."""


class HostSettings(Section):
    """What only this host's person may set."""

    schema_version: int = Field(SCHEMA, alias="schema", ge=1, strict=True)
    alerts: Alerts = Alerts()

    claude: Provider = Provider()
    openai: OpenAI = OpenAI()
    agents: AgentSettings = AgentSettings()
    runners: dict[str, str] = Field(default_factory=dict)
    """Runner by worker type, or by priority (`priority:low`); a task's own and --runner come first."""
    confirm_above_usd: float = Field(10.0, ge=0)
    """A batch that is expected to cost more asks before it starts."""
    commands: dict[str, CommandEntry] = Field(default_factory=dict)
    askpass: str | None = None
    credential_helper: str | None = None
    advisories_url: str | None = None


def load_settings(data: bytes, where: str) -> Settings:
    """Shared settings from TOML; `where` names the file in errors."""
    return _validated(Settings, data, where)


def load_host_settings() -> HostSettings:
    """This host's settings, or the defaults when there is no file."""
    path = config_folder() / "config.toml"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return HostSettings()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    return _validated(HostSettings, data, str(path))


def checked_branch(name: str) -> str:
    """`name` if it may name the branch to fold into. Raises BadInput."""
    parts = name.split("/")
    clean = all(p and p[0] != "." and not p.endswith((".", ".lock")) and ".." not in p for p in parts)
    try:
        if clean:
            return Settings(branch=name).branch
    except ValidationError:
        pass
    raise BadInput(f"--branch {name!r} is not a usable name", "use letters, digits and / . _ -")


def _validated(model: type[AnySection], data: bytes, where: str) -> AnySection:
    try:
        values: dict[str, Any] = tomllib.loads(data.decode())
        found = values.get("schema")
        if isinstance(found, int) and found > SCHEMA:
            raise NewerSchema(where, "settings file", found, SCHEMA)
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        newer = ", or install the newer cortex-git that has it" if first["type"] == "extra_forbidden" else ""
        raise BadInput(f"{where}: {key}: {first['msg']}", f"correct or remove that setting{newer}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: not valid TOML: {error}", "correct the file") from error


def config_folder() -> Path:
    """`$XDG_CONFIG_HOME/cortex-git` or the platform's equivalent."""
    return _folder("CORTEX_CONFIG_HOME", "config")


def data_folder() -> Path:
    """Where databases and the embedded coordination repository live."""
    return _folder("CORTEX_DATA_HOME", "data")


def cache_folder() -> Path:
    """Where what can be rebuilt lives."""
    return _folder("CORTEX_CACHE_HOME", "cache")


def _folder(variable: str, kind: str) -> Path:
    given = os.environ.get(variable)
    if given:
        return Path(given)
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")("cortex-git", appauthor=False))


DEFAULT_CONFIG = """\
# Settings that every host of this coordination repository shares.
# What can run code or send a key somewhere is set on each host, not here: see docs/configuration.md.
schema = 1
namespace = "{namespace}"
branch = "{branch}"      # results are folded into this branch
# fold_every_s = 10
# skip_ci = true         # fold commits carry [skip ci]

# [leases]
# lease_s = 60           # a claim survives its host's silence this long
# heartbeat_s = 20

# [pool]
# min = 5
# max = 20

# [limits.scan-worker]
# tokens = 8000
# minutes = 15
"""
