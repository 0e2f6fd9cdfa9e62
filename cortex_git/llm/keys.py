"""Keys of model providers: from the environment, else from a file that only its owner can read.

Owns where a key may come from. A key is never logged, stored, put into an error or passed on to what a
model starts.
"""

import os
import stat
from pathlib import Path
from typing import NamedTuple

from cortex_git.config import HostSettings, Provider, config_folder, load_host_settings
from cortex_git.errors import CortexError
from cortex_git.llm import NoKey

VARIABLES: dict[str, tuple[str, ...]] = {
    "claude": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "openai": ("OPENAI_API_KEY",),
}
"""Environment variables that hold a provider's key, the first that is set counts."""
FILES = {"claude": "anthropic.key", "openai": "openai.key"}
"""Files in the configuration folder, for where the settings name none."""
NO_KEY = "none"
"""What a local server that wants no key is sent."""
_MOST = 16_384


class Key(NamedTuple):
    """A key, and the variable or file it is from."""

    value: str
    source: str

    def __repr__(self) -> str:
        return f"Key(from {self.source})"


def key_for(provider: str, settings: Provider) -> Key:
    """The key of the provider on this host. Raises NoKey where there is none that may be used."""
    for variable in VARIABLES[provider]:
        if value := os.environ.get(variable, "").strip():
            if not _is_key(value):
                raise NoKey(f"{variable} does not hold a key", "set it to the key alone, on one line")
            return Key(value, variable)
    path = _file(provider, settings)
    if path.exists() or settings.key_file is not None:
        return Key(_read(path), str(path))
    raise NoKey(
        f"no key for {provider}: {VARIABLES[provider][0]} is not set and {path} is not there",
        "set one of them (the file with mode 0600), or use --runner replay=FILE",
    )


def openai_key(settings: Provider) -> Key:
    """The key for an OpenAI-compatible server: one of this person's own may want none. Raises NoKey."""
    try:
        return key_for("openai", settings)
    except NoKey:
        if settings.base_url is None and not os.environ.get("OPENAI_BASE_URL"):
            raise
        return Key(NO_KEY, "nowhere")


def values() -> list[str]:
    """Every key that this host has, whatever provider is in use; for the guard over what is published."""
    found = [os.environ.get(name, "").strip() for names in VARIABLES.values() for name in names]
    try:
        settings = load_host_settings()
    except CortexError:
        settings = HostSettings()
    for provider, own in (("claude", settings.claude), ("openai", settings.openai)):
        try:
            found.append(_file(provider, own).read_bytes()[:_MOST].decode("utf-8", "replace").strip())
        except OSError:
            continue
    return [value for value in dict.fromkeys(found) if value]


def _file(provider: str, settings: Provider) -> Path:
    named = settings.key_file
    return Path(named).expanduser() if named else config_folder() / FILES[provider]


def _read(path: Path) -> str:
    """The key in the file, which nobody else may be able to read. Raises NoKey."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise NoKey(
            f"{path} cannot be read: {error.strerror}", "put the key there, with mode 0600"
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise NoKey(f"{path} is no regular file", "put the key into one, with mode 0600")
        if facts.st_uid not in (os.getuid(), 0) or stat.S_IMODE(facts.st_mode) & 0o077:
            mode = stat.S_IMODE(facts.st_mode)
            raise NoKey(f"{path} can be read by others (mode {mode:04o})", f"run `chmod 600 {path}`")
        key = file.read(_MOST).decode("utf-8", "replace").strip()
    if not _is_key(key):
        raise NoKey(f"{path} does not hold a key", "put the key alone on one line")
    return key


def _is_key(text: str) -> bool:
    """Whether the text can go into a header: what cannot would fail every call, as if each was lost."""
    return bool(text) and all("!" <= character <= "~" for character in text)
