"""Settings: those a repository shares (`coordination/config.toml`) and those of this host alone.

Each module owns a subject, its defaults and its checks; this one their names. Anything that can run code or
send a key somewhere may only be set in the host's own file: whoever can push can write the shared one.
"""

from cortex_git.config.folders import cache_folder, config_folder, data_folder
from cortex_git.config.host import (
    AgentSettings,
    Alerts,
    CommandEntry,
    HostSettings,
    OpenAI,
    Provider,
    load_host_settings,
)
from cortex_git.config.routing import ExpertSettings, RoutingSettings
from cortex_git.config.sections import SCHEMA
from cortex_git.config.shared import DEFAULT_CONFIG, GcSettings, Settings, checked_branch, load_settings
from cortex_git.config.spending import BudgetSettings, Infrastructure, Model, Models, Rate
from cortex_git.config.workers import DEFAULT_LIMITS, Bounds, Leases, PoolSettings, Window, WorkerLimits

__all__ = [
    "DEFAULT_CONFIG",
    "DEFAULT_LIMITS",
    "SCHEMA",
    "AgentSettings",
    "Alerts",
    "Bounds",
    "BudgetSettings",
    "CommandEntry",
    "ExpertSettings",
    "GcSettings",
    "HostSettings",
    "Infrastructure",
    "Leases",
    "Model",
    "Models",
    "OpenAI",
    "PoolSettings",
    "Provider",
    "Rate",
    "RoutingSettings",
    "Settings",
    "Window",
    "WorkerLimits",
    "cache_folder",
    "checked_branch",
    "config_folder",
    "data_folder",
    "load_host_settings",
    "load_settings",
]
