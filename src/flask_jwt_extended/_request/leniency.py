"""Requests that pass although their token is refused: ``report_only``, JWT_REPORT_ONLY and ``optional="if-valid"``."""

from __future__ import annotations

from dataclasses import replace

from flask import Request
from jwt.exceptions import PyJWTError

from .._jose.token import Token
from .._state import ExtensionState
from ..exceptions import JWTExtendedException, UnavailableError, code_of
from ..signals import would_refuse
from .authenticate import authenticate
from .policy import Policy


def admit_request(request: Request, policy: Policy, state: ExtensionState, now: float) -> Token | None:
    """Authenticate a request, and let it pass if its refusal does not count."""
    try:
        return authenticate(request, policy, state, now)
    except (JWTExtendedException, PyJWTError) as error:
        if not (policy.report_only or policy.optional or state.settings.report_only):
            raise
        return _apply_leniency(error, request, policy, state, now)


def _apply_leniency(
    error: JWTExtendedException | PyJWTError, request: Request, policy: Policy, state: ExtensionState, now: float
) -> Token | None:
    if state.settings.report_only:
        token = admit_request(request, policy, state.without_reported, now)  # raises if another check refuses it
        if token is not None:  # otherwise that call has reported the refusal
            state.notify(would_refuse, code=code_of(error), error=error)
        return token
    if policy.report_only:
        state.notify(would_refuse, code=code_of(error), error=error)
        return _authenticate_leniently(request, policy, state, now)
    if policy.optional == "if-valid" and not isinstance(error, UnavailableError):
        state.notify(would_refuse, code=code_of(error), error=error)
        return None
    raise error


def _authenticate_leniently(request: Request, policy: Policy, state: ExtensionState, now: float) -> Token | None:
    """Return the token of a request if it is valid, whether it meets the requirements or not; otherwise ``None``."""
    without = replace(policy, fresh=False, scopes=None, roles=None, max_age=None, acr=(), report_only=False)
    try:
        return authenticate(request, without, state, now)
    except (JWTExtendedException, PyJWTError):
        return None
