"""Settings, shared and of this host: defaults, validation, and what shared ones may not say."""

from pathlib import Path

import pytest

from cortex_git import config
from cortex_git.config import DEFAULT_CONFIG, DEFAULT_LIMITS, Settings, checked_branch, load_settings
from cortex_git.errors import BadInput


def test_what_init_writes_is_the_defaults() -> None:
    text = DEFAULT_CONFIG.format(namespace="refs/cortex", branch="main")
    assert load_settings(text.encode(), "here") == Settings()


def test_what_init_writes_stays_valid_with_every_comment_taken_away() -> None:
    lines = DEFAULT_CONFIG.format(namespace="refs/cortex", branch="main").splitlines()
    opened = [line.removeprefix("# ") for line in lines if "=" in line or line.startswith("# [")]
    settings = load_settings("\n".join(opened).encode(), "here")
    assert settings.limits["scan-worker"] == DEFAULT_LIMITS["scan-worker"]
    assert settings.model_copy(update={"limits": {}}) == Settings()


def test_limits_of_a_worker_type() -> None:
    settings = load_settings(b"[limits.fix-worker]\ntokens = 1\nminutes = 0.5\n", "here")
    assert settings.limits_of("fix-worker").tokens == 1
    assert settings.limits_of("pr-worker") == DEFAULT_LIMITS["pr-worker"]
    assert settings.limits_of("unknown") == DEFAULT_LIMITS["scan-worker"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lease = 3", "lease"),
        ("[leases]\nlease_s = 0", "leases.lease_s"),
        ('[leases]\nlease_s = "x"', "leases.lease_s"),
        ("[pool]\nmax = 65", "pool.max"),
        ('namespace = "refs/../x"', "namespace"),
        ('branch = "-x"', "branch"),
        ("[limits.x]\ntokens = 1", "limits.x.minutes"),
        ("x", "TOML"),
        ("\xff", "TOML"),
    ],
)
def test_the_setting_at_fault_is_named(text: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        load_settings(text.encode("latin-1"), "file.toml")
    assert caught.value.message.startswith("file.toml: ")
    assert told in caught.value.message


@pytest.mark.parametrize("text", ['[commands.x]\nargv = ["sh"]', 'askpass = "x"', 'advisories_url = "x"'])
def test_shared_settings_can_run_nothing(text: str) -> None:
    """Whoever can push writes them."""
    with pytest.raises(BadInput):
        load_settings(text.encode(), "here")


def host_file(text: str) -> Path:
    path = config.config_folder() / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_host_settings() -> None:
    assert config.load_host_settings().commands == {}
    host_file('askpass = "ask"\n[commands.x]\nargv = ["sh", "-c", "true"]\nenvironment = { A = "1" }\n')
    settings = config.load_host_settings()
    assert settings.askpass == "ask"
    assert settings.commands["x"].argv == ["sh", "-c", "true"]
    assert settings.commands["x"].environment == {"A": "1"}


@pytest.mark.parametrize("text", ["[commands.x]\nargv = []", "[commands.x]", "typo = 1", "["])
def test_host_settings_that_are_wrong(text: str) -> None:
    path = host_file(text)
    with pytest.raises(BadInput) as caught:
        config.load_host_settings()
    assert str(path) in caught.value.message


def test_a_host_file_that_cannot_be_read() -> None:
    (config.config_folder() / "config.toml").mkdir(parents=True)
    with pytest.raises(BadInput, match="cannot be read"):
        config.load_host_settings()


@pytest.mark.parametrize("name", ["main", "release/1.0", "a_b-c"])
def test_branches(name: str) -> None:
    assert checked_branch(name) == name


@pytest.mark.parametrize(
    "name", ["", "-x", "a b", "a..b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.", "ä"]
)
def test_branches_that_cannot_be(name: str) -> None:
    with pytest.raises(BadInput, match="--branch"):
        checked_branch(name)


def test_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, folder in (
        ("CORTEX_CONFIG_HOME", config.config_folder),
        ("CORTEX_DATA_HOME", config.data_folder),
        ("CORTEX_CACHE_HOME", config.cache_folder),
    ):
        monkeypatch.setenv(variable, str(tmp_path / "own"))
        assert folder() == tmp_path / "own"
        monkeypatch.delenv(variable)
        assert folder().name == "cortex-git"
