"""The `claude` runner: an agent on the models of Claude."""

from cortex_git.llm.keys import key_for
from cortex_git.runners.agent.provided import Provided

_runner = Provided("claude", lambda host: key_for("claude", host.claude))
preload, ready, run = _runner.preload, _runner.ready, _runner.run
