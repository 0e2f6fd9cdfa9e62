"""The settings that a repository shares, in `coordination/config.toml`.

Whoever can push can write them: nothing here may run code or send a key somewhere.
"""

from pydantic import Field, ValidationError

from cortex_git.config.reading import validated
from cortex_git.config.routing import ExpertSettings, RoutingSettings
from cortex_git.config.sections import SCHEMA, Section
from cortex_git.config.spending import BudgetSettings, Infrastructure, Models, Rate
from cortex_git.config.workers import DEFAULT_LIMITS, Leases, PoolSettings, WorkerLimits
from cortex_git.errors import BadInput


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


def load_settings(data: bytes, where: str) -> Settings:
    """Shared settings from TOML; `where` names the file in errors."""
    return validated(Settings, data, where)


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
