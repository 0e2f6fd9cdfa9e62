"""Claude, through the anthropic SDK: the only module that imports it (over two seconds and 70 MiB).

Owns the translation between our words and the SDK's. The SDK's own retries are off.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anthropic

from cortex_git.config import Provider
from cortex_git.llm import (
    Broken,
    CallFailed,
    Dropped,
    Message,
    Rejected,
    Reply,
    Request,
    Throttled,
    Usage,
    are_tokens,
)
from cortex_git.llm.batching import BatchStatus
from cortex_git.llm.events import MALFORMED, Parts
from cortex_git.llm.failures import CONNECT_S, Failures, broken_off
from cortex_git.llm.headers import anthropic_limits, retry_after_s
from cortex_git.llm.keys import key_for

_TOKEN = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 - its variable
_CACHED = {"type": "ephemeral"}


class Claude:
    """The Messages API, as one process uses it."""

    provider = "claude"

    def __init__(self, settings: Provider) -> None:
        """Raises NoKey."""
        key = key_for("claude", settings)
        self._failures = Failures(self.provider, key.source)
        self._sdk = anthropic.Anthropic(
            api_key=None if key.source == _TOKEN else key.value,
            auth_token=key.value if key.source == _TOKEN else None,
            base_url=settings.base_url,
            max_retries=0,
            timeout=anthropic.Timeout(settings.timeout_s, connect=min(CONNECT_S, settings.timeout_s)),
        )

    def reply(self, request: Request, on_sent: Callable[[], None] | None = None) -> Reply:
        """The model's whole answer, streamed so that a silence is noticed. Raises CallFailed."""
        arguments = parameters(request)
        if on_sent is not None:
            on_sent()
        with self._understood(), self._sdk.messages.create(**arguments, stream=True) as stream:
            parts = Parts()
            try:
                for event in stream:
                    parts.add(_values(event))
            except anthropic.APIStatusError as error:
                raise _within(error) from error
            except anthropic.APIError as error:
                raise Dropped(f"the answer broke off: {error.message}") from error
            except Exception as error:  # the HTTP library's own, or what is no event
                raise broken_off(error) from error
            if not parts.message.get("stop_reason"):
                raise Dropped("the answer broke off")
            return to_reply(parts.message, stream.response.headers)

    def count(self, request: Request) -> int | None:
        """Input tokens as the provider counts them; None where it does not answer."""
        arguments = parameters(request)
        del arguments["max_tokens"]
        try:
            with self._understood():
                counted: object = self._sdk.messages.count_tokens(**arguments)
        except Throttled:
            raise
        except CallFailed:
            return None
        tokens = getattr(counted, "input_tokens", None)  # a gateway may answer anything
        return tokens if are_tokens(tokens) else None

    def create_batch(self, requests: Mapping[str, Request]) -> BatchStatus:
        """See `batching.Batches`."""
        entries: list[Any] = [
            {"custom_id": name, "params": parameters(request)} for name, request in requests.items()
        ]
        with self._understood():
            return _status(self._sdk.messages.batches.create(requests=entries))

    def batch(self, name: str) -> BatchStatus:
        with self._understood():
            return _status(self._sdk.messages.batches.retrieve(name))

    def recent_batches(self, most: int = 100) -> list[BatchStatus]:
        with self._understood():
            return [_status(batch) for batch in self._sdk.messages.batches.list(limit=most).data]

    def batch_results(self, name: str) -> Iterator[tuple[str, Reply | CallFailed]]:
        with self._understood():
            entries = iter(self._sdk.messages.batches.results(name))
            while True:
                try:
                    entry = next(entries, None)
                except Exception as error:  # cut off: the HTTP library's own error, or half a line
                    raise Broken(f"the batch's results broke off: {type(error).__name__}: {error}") from error
                if entry is None:
                    return
                yield entry.custom_id, _batched(entry.result)

    def cancel_batch(self, name: str) -> None:
        with self._understood():
            self._sdk.messages.batches.cancel(name)

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """The SDK's errors in our words."""
        try:
            yield
        except anthropic.APIStatusError as error:
            headers = error.response.headers
            said = error_text(error.body, error.status_code)
            limits = anthropic_limits(headers)
            raise self._failures.of_status(error.status_code, said, headers, limits) from error
        except anthropic.APIConnectionError as error:
            failed = self._failures.of_connection(error.__cause__, self._sdk.base_url.host)
            # A request that is none is told without its error, which would show the key.
            raise failed from (None if isinstance(failed, Rejected) else error)
        except anthropic.AnthropicError as error:
            raise self._failures.of_request(error) from error


def _within(error: anthropic.APIStatusError) -> CallFailed:
    """An error event in the middle of an answer: what came before it may be billed."""
    said = error_text(error.body, error.status_code)
    kind = _error_of(error.body).get("type")
    if kind in ("overloaded_error", "rate_limit_error"):
        throttled = Throttled(said, retry_after_s(error.response.headers))
        throttled.billed = True
        return throttled
    return Dropped(said)


def error_text(body: object, status: int) -> str:
    """One line about an error that the provider answered with."""
    error = _error_of(body)
    text = " ".join(str(error.get("message") or "").split())[:300]
    return f"the model's server answered {error.get('type') or status}" + (f": {text}" if text else "")


def _error_of(body: object) -> Mapping[str, Any]:
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def parameters(request: Request) -> dict[str, Any]:
    """The body of a request. System prompt, tools, and the conversation so far are marked for the cache."""
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_output,
        "messages": _cached([_given_back(message) for message in request.messages]),
    }
    if request.system:
        body["system"] = [{"type": "text", "text": request.system, "cache_control": _CACHED}]
    if request.tools:
        tools = [dict(tool) for tool in request.tools]
        body["tools"] = [*tools[:-1], {**tools[-1], "cache_control": _CACHED}]
    if request.must_use is not None:
        body["tool_choice"] = {"type": "tool", "name": request.must_use}
    return body


def _given_back(message: Message) -> Message:
    """The message without our own mark of arguments that were no JSON object."""
    blocks = message["content"]
    if message["role"] != "assistant" or not isinstance(blocks, list):
        return message
    return {
        **message,
        "content": [{key: block[key] for key in block if key != MALFORMED} for block in blocks],
    }


def _cached(messages: list[Message]) -> list[Message]:
    """The same messages, the last block marked."""
    if not messages or not isinstance(messages[-1]["content"], list) or not messages[-1]["content"]:
        return messages
    last = messages[-1]
    blocks = last["content"]
    return [*messages[:-1], {**last, "content": [*blocks[:-1], {**blocks[-1], "cache_control": _CACHED}]}]


def to_reply(message: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
    """A whole message in our words. Raises Dropped where it does not say what it used."""
    used = message.get("usage") or {}
    kept = [used.get(f"cache_{kind}_input_tokens") or 0 for kind in ("creation", "read")]
    counts: list[Any] = [used.get("input_tokens"), used.get("output_tokens"), *kept]
    if not are_tokens(*counts):
        raise Dropped("the server does not say how many tokens it used")
    return Reply(
        content=[dict(block) for block in message.get("content") or ()],
        stop=message.get("stop_reason") or "",
        usage=Usage(*counts),
        limits=anthropic_limits(headers),
        request_id=headers.get("request-id", ""),
    )


def _status(batch: anthropic.types.messages.MessageBatch) -> BatchStatus:
    return BatchStatus(
        batch.id,
        ended=batch.processing_status == "ended",
        processing=batch.request_counts.processing,
        cancelled=batch.cancel_initiated_at is not None,
    )


def _batched(result: Any) -> Reply | CallFailed:
    """One answer of a batch. Those that failed are not billed."""
    if result.type == "succeeded":
        return to_reply(_values(result.message), {})
    if result.type == "errored":
        error = getattr(result.error, "error", None)
        kind, said = getattr(error, "type", "an error"), getattr(error, "message", "")
        failed = Rejected if kind == "invalid_request_error" else Broken
        return failed(f"the provider's batch answered {kind}: {' '.join(str(said).split())[:300]}")
    return Broken(f"the provider's batch left the call undone: {result.type}")


def _values(model: Any) -> dict[str, Any]:
    """What the server sent, blocks as they have to be given back in the next turn."""
    value: dict[str, Any] = model.to_dict(mode="json", exclude_none=True, warnings=False)
    return value
