"""Tokens that are bound to a key (``cnf``, RFC 7800). No proof of possession can be verified yet."""

from __future__ import annotations

from jwt.exceptions import InvalidTokenError

from .._settings.settings import Settings
from .._state import ExtensionState
from ..signals import bound_token_accepted
from ..typing import Claims


def check_binding(claims: Claims, settings: Settings) -> None:
    """Check the ``cnf`` of a token (RFC 7800, section 3).

    :raises InvalidTokenError: if the claim is malformed, or JWT_BOUND_TOKENS refuses such tokens
    """
    if type(claims["cnf"]) is not dict:
        raise InvalidTokenError("Confirmation claim (cnf) must be an object")
    if settings.bound_tokens == "refuse":
        raise InvalidTokenError("The token is bound to a key (cnf), and possession of the key was not proved")


def accept_bound_token(claims: Claims, issuer: str | None, state: ExtensionState) -> None:
    """Check the ``cnf`` of a token, and report that the token is accepted without proof of possession.

    :param issuer: its external issuer; ``None``: this application
    :raises InvalidTokenError: if the claim is malformed, or JWT_BOUND_TOKENS refuses such tokens
    """
    check_binding(claims, state.settings)
    state.warn_once(
        f"cnf {issuer}",
        "Tokens of %s are bound to a key (cnf) and accepted without proof of possession. "
        "JWT_BOUND_TOKENS = 'refuse' refuses them",
        issuer or "this application",
    )
    state.notify(bound_token_accepted, issuer=issuer)
