"""The settings of this host alone, in its configuration folder: what can run code or send a key somewhere."""

from pydantic import Field

from cortex_git.config.folders import config_folder
from cortex_git.config.reading import validated
from cortex_git.config.sections import SCHEMA, Section
from cortex_git.config.spending import Model, Models
from cortex_git.errors import BadInput


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


def load_host_settings() -> HostSettings:
    """This host's settings, or the defaults when there is no file."""
    path = config_folder() / "config.toml"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return HostSettings()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    return validated(HostSettings, data, str(path))
