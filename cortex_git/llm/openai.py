"""OpenAI-compatible servers, through the openai SDK: the only module that imports it (an optional extra).

Owns the translation between our words, which are those of the Messages API, and chat completions. The
SDK's own retries are off.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

try:
    import openai
except ImportError as missing:
    from cortex_git.errors import EnvironmentProblem

    raise EnvironmentProblem(
        "the openai runner needs the openai package", "run `pip install 'cortex-git[openai]'`"
    ) from missing

from cortex_git.config import OpenAI
from cortex_git.llm import (
    Block,
    Broken,
    Dropped,
    Message,
    Rejected,
    Reply,
    Request,
    Usage,
    are_tokens,
)
from cortex_git.llm.failures import CONNECT_S, Failures, broken_off
from cortex_git.llm.headers import openai_limits
from cortex_git.llm.keys import openai_key

OLD_LENGTH = "max_tokens"
"""What servers of the first years call the limit of an answer."""
_COUNTED = ("prompt_tokens", "completion_tokens")
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


class OpenAIServer:
    """Chat completions, as one process uses them."""

    provider = "openai"

    def __init__(self, settings: OpenAI) -> None:
        """Raises NoKey, where the server is not one of this person's own."""
        key = openai_key(settings)
        self._failures = Failures(self.provider, key.source)
        self._length = "max_completion_tokens"
        self._sdk = openai.OpenAI(
            api_key=key.value,
            base_url=settings.base_url,
            max_retries=0,
            timeout=openai.Timeout(settings.timeout_s, connect=min(CONNECT_S, settings.timeout_s)),
        )

    def reply(self, request: Request, on_sent: Callable[[], None] | None = None) -> Reply:
        """The model's whole answer, streamed so that a silence is noticed. Raises CallFailed.

        An answer of a server that does not say what it used is `Dropped`: it counts at its worst.
        """
        body = parameters(request)
        if on_sent is not None:
            on_sent()
        try:
            return self._reply(body, request.max_output)
        except Rejected as error:
            if self._length not in error.message or self._length == OLD_LENGTH:
                raise
            self._length = OLD_LENGTH  # from now on: nothing was done, and the next call is admitted anew
            raise Broken(error.message, limits=error.limits) from error

    def _reply(self, body: dict[str, Any], most: int) -> Reply:
        with self._understood():
            create: Any = self._sdk.chat.completions.create  # the length's name is only known here
            stream = create(
                **body, **{self._length: most}, stream=True, stream_options={"include_usage": True}
            )
            parts = _Parts()
            try:
                with stream:
                    for chunk in stream:
                        parts.add(chunk)
            except openai.APIStatusError:
                raise
            except Exception as error:
                raise broken_off(error) from error
            return parts.reply(stream.response.headers)

    def count(self, request: Request) -> int | None:  # noqa: ARG002 - as every client's
        """These servers count nothing beforehand."""
        return None

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """The SDK's errors in our words."""
        try:
            yield
        except openai.APIStatusError as error:
            headers, status = error.response.headers, error.status_code
            said = f"the model's server answered {status}: {' '.join(str(error.message).split())[:300]}"
            raise self._failures.of_status(status, said, headers, openai_limits(headers)) from error
        except openai.APIConnectionError as error:
            failed = self._failures.of_connection(error.__cause__, self._sdk.base_url.host)
            # A request that is none is told without its error, which would show the key.
            raise failed from (None if isinstance(failed, Rejected) else error)
        except openai.OpenAIError as error:
            raise self._failures.of_request(error) from error


class _Parts:
    """A streamed answer, put together."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}
        self._places: dict[int, int] = {}
        self._stop = ""
        self._usage: Any = None
        self._id = ""

    def add(self, chunk: Any) -> None:
        self._id = chunk.id or self._id
        self._usage = chunk.usage or self._usage
        for choice in (chunk.choices or ())[:1]:
            self._stop = choice.finish_reason or self._stop
            if choice.delta is None:
                continue
            self._text.append(choice.delta.content or "")
            for call in choice.delta.tool_calls or ():
                known = self._call(call.index, call.id)
                known["id"] = call.id or known["id"]
                if call.function is not None:
                    known["name"] += call.function.name or ""
                    known["arguments"] += call.function.arguments or ""

    def _call(self, index: int | None, name: str | None) -> dict[str, str]:
        """The call that a part belongs to. Some servers number none, or each 0: a new id is a new call."""
        place = len(self._calls) - 1 if index is None else self._places.get(index, -1)
        known = self._calls.get(place)
        if known is None or (name and known["id"] and known["id"] != name):
            place = len(self._calls)
            known = self._calls[place] = {"id": "", "name": "", "arguments": ""}
        if index is not None:
            self._places[index] = place
        return known

    def reply(self, headers: Mapping[str, str]) -> Reply:
        if not self._stop:
            raise Dropped("the answer broke off")
        details = getattr(self._usage, "prompt_tokens_details", None)
        read = getattr(details, "cached_tokens", None) or 0
        counts = [getattr(self._usage, name, None) for name in _COUNTED]
        if not are_tokens(*counts, read):
            raise Dropped("the server does not say how many tokens it used")
        words = "".join(self._text)
        content: list[Block] = [{"type": "text", "text": words}] if words else []
        for number, call in sorted(self._calls.items()):
            name = call["name"]
            use = {"type": "tool_use", "id": call["id"] or f"call_{number}", "name": name}
            content.append({**use, "input": _arguments(call["arguments"])})
        usage = Usage(
            input=max(self._usage.prompt_tokens - read, 0),
            output=self._usage.completion_tokens,
            cache_read=read,
        )
        stop = "tool_use" if self._calls and self._stop == "stop" else _STOPS.get(self._stop, self._stop)
        return Reply(content, stop, usage, openai_limits(headers), self._id)


def _arguments(text: str) -> Any:
    """A tool's arguments; text that is no JSON stays text, which no tool takes."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def parameters(request: Request) -> dict[str, Any]:
    """The body of a request, without the length of its answer."""
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    for message in request.messages:
        messages += _translated(message)
    body: dict[str, Any] = {"model": request.model, "messages": messages}
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool["name"],
                    "description": tool.get("description", ""),
                    "parameters": tool["input_schema"],
                },
            }
            for tool in request.tools
        ]
    if request.must_use is not None:
        body["tool_choice"] = {"type": "function", "function": {"name": request.must_use}}
    return body


def _translated(message: Message) -> list[dict[str, Any]]:
    """One message as chat completions have it: each result of a tool is a message of its own."""
    blocks = message["content"]
    if isinstance(blocks, str):
        return [{"role": message["role"], "content": blocks}]
    words = "\n".join(block["text"] for block in blocks if block["type"] == "text")
    if message["role"] == "assistant":
        calls = [
            {
                "id": block["id"],
                "type": "function",
                "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
            }
            for block in blocks
            if block["type"] == "tool_use"
        ]
        said: dict[str, Any] = {"role": "assistant", "content": words or None}
        return [said | {"tool_calls": calls} if calls else said]
    results = [
        {"role": "tool", "tool_call_id": block["tool_use_id"], "content": _words(block.get("content"))}
        for block in blocks
        if block["type"] == "tool_result"
    ]
    return [*results, *([{"role": "user", "content": words}] if words else [])]


def _words(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
    return str(content or "")
