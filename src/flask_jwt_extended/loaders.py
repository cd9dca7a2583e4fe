"""What an application plugged in: its loaders, each optional, sync or async."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutine
from typing import Any

from .typing import (
    DecodeKeyLoader,
    EncodeKeyLoader,
    IdentityLoader,
    MappingLoader,
    MaybeAsync,
    MessageResponse,
    T,
    TokenResponse,
    TokenTest,
    UserLookupLoader,
)

#: Turns a coroutine function into one that can be called and waited for: ``Flask.ensure_sync``.
EnsureSync = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(slots=True)
class Loaders:
    """The loaders of one :class:`JWTManager`; ``None`` where the application has none."""

    additional_claims: MappingLoader | None = None
    additional_headers: MappingLoader | None = None
    decode_key: DecodeKeyLoader | None = None
    encode_key: EncodeKeyLoader | None = None
    expired_token: TokenResponse | None = None
    invalid_token: MessageResponse | None = None
    needs_fresh_token: TokenResponse | None = None
    revoked_token: TokenResponse | None = None
    token_in_blocklist: TokenTest | None = None
    token_verification: TokenTest | None = None
    token_verification_failed: TokenResponse | None = None
    unauthorized: MessageResponse | None = None
    user_identity: IdentityLoader | None = None
    user_lookup: UserLookupLoader | None = None
    user_lookup_error: TokenResponse | None = None


def call(ensure_sync: EnsureSync, loader: Callable[..., MaybeAsync[T]], *arguments: Any) -> T:
    """Call a loader, and wait for its result if it turns out to be a coroutine.

    The result is judged, not the function: a coroutine behind a decorator that hides it is waited for as well. Taken
    as it is, it would be a truthy answer to every question.
    """
    result = loader(*arguments)
    return ensure_sync(_wait)(result) if iscoroutine(result) else result  # type: ignore[return-value]  # T, once awaited


async def _wait(awaitable: Any) -> Any:
    return await awaitable
