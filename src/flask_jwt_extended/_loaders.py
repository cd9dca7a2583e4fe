"""The loaders of an application: each optional, sync or async."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import copy_context
from inspect import isawaitable
from typing import Any, cast

from .typing import (
    DecodeKeyLoader,
    EncodeKeyLoader,
    IdentityLoader,
    MappingLoader,
    MaybeAsync,
    MessageResponse,
    RolesLoader,
    T,
    TokenResponse,
    TokenTest,
    UserLookupLoader,
)

#: Turns a coroutine function into one that can be called synchronously: ``Flask.ensure_sync``.
EnsureSync = Callable[[Callable[..., Any]], Callable[..., Any]]


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
    roles: RolesLoader | None = None
    token_in_blocklist: TokenTest | None = None
    token_verification: TokenTest | None = None
    token_verification_failed: TokenResponse | None = None
    unauthorized: MessageResponse | None = None
    user_identity: IdentityLoader | None = None
    user_lookup: UserLookupLoader | None = None
    user_lookup_error: TokenResponse | None = None

    #: The application's overrides of the manager's methods that make and verify tokens; ``None`` if there is none.
    encode_token: Callable[..., MaybeAsync[Any]] | None = None
    decode_token: Callable[..., MaybeAsync[Any]] | None = None


def name_of(loader: object) -> str:
    """Return the name of a loader for a message."""
    return str(getattr(loader, "__qualname__", type(loader).__qualname__))


def role_names(value: object) -> tuple[frozenset[str], bool]:
    """Return the roles in a result of ``roles_loader``, and whether all of the result was roles.

    A string is one role. Other values are not roles, and neither are the keys of a mapping, whose values may be false.
    """
    if isinstance(value, str):
        return frozenset((str.__str__(value),)), True
    if isinstance(value, (Mapping, bytes, bytearray)) or not isinstance(value, Iterable):
        return frozenset(), False
    items = list(value)
    # A member of a string enum may hash differently from its text.
    names = frozenset(str.__str__(each) for each in items if isinstance(each, str))
    return names, all(isinstance(each, str) for each in items)


def call(ensure_sync: EnsureSync, loader: Callable[..., MaybeAsync[T]], *arguments: Any) -> T:
    """Call a loader, and wait for its result if that is awaitable. A decorator may hide a coroutine function."""
    result = loader(*arguments)
    return _wait_for(ensure_sync, result) if isawaitable(result) else result


def _wait_for(ensure_sync: EnsureSync, awaitable: Awaitable[T]) -> T:
    import asyncio  # slow to import, and only coroutines need it

    async def wait() -> T:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return cast("T", ensure_sync(wait)())
    from concurrent.futures import ThreadPoolExecutor

    # An async view called us and blocks its event loop, so the coroutine runs in another thread.
    with ThreadPoolExecutor(1) as waiter:
        return cast("T", waiter.submit(copy_context().run, ensure_sync(wait)).result())
