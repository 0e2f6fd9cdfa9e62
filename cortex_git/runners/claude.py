"""The `claude` runner: an agent on the models of Claude."""

from functools import partial

from cortex_git.llm.keys import key_for
from cortex_git.runners.agent.provided import Provided

_runner = Provided("claude", lambda host: host.claude, partial(key_for, "claude"))
preload, ready, run = _runner.preload, _runner.ready, _runner.run
