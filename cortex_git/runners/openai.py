"""The `openai` runner: an agent on the models of an OpenAI-compatible server."""

from cortex_git.llm.keys import openai_key
from cortex_git.runners.agent.provided import Provided

_runner = Provided("openai", lambda host: host.openai, openai_key)
preload, ready, run = _runner.preload, _runner.ready, _runner.run
