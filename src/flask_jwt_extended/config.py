"""The ``config`` object of 4.7: a live, read-only view of the settings of the current application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import current_app

from ._context import get_app, get_state
from ._settings.settings import COOKIE_YEAR, Settings
from .internal_utils import JSONEncoder

#: Attributes of 4.7 that Settings have under another name or in another form.
_DERIVED: dict[str, Callable[[Settings], Any]] = {
    "access_expires": lambda settings: settings.access_token_expires,
    "refresh_expires": lambda settings: settings.refresh_token_expires,
    "cookie_max_age": lambda settings: None if settings.session_cookie else COOKIE_YEAR,
    "decode_algorithms": lambda settings: list(settings.accepted_algorithms),
    "decode_key": lambda settings: settings.verification_key,
    "encode_key": lambda settings: settings.signing_key,
    "error_msg_key": lambda settings: settings.error_message_key,
    "exempt_methods": lambda settings: set() if settings.protect_options_method else {"OPTIONS"},
    "identity_claim_key": lambda settings: settings.identity_claim,
    "json_encoder": lambda _settings: JSONEncoder,
    "json_key": lambda settings: settings.json_key[0],
    "jwt_in_cookies": lambda settings: "cookies" in settings.token_location,
    "jwt_in_headers": lambda settings: "headers" in settings.token_location,
    "jwt_in_json": lambda settings: "json" in settings.token_location,
    "jwt_in_query_string": lambda settings: "query_string" in settings.token_location,
    "refresh_json_key": lambda settings: settings.refresh_json_key[0],
}

#: Attributes that 4.7 returns as the application wrote them.
_AS_WRITTEN = {
    "csrf_request_methods": "JWT_CSRF_METHODS",
    "decode_audience": "JWT_DECODE_AUDIENCE",
    "decode_issuer": "JWT_DECODE_ISSUER",
    "encode_audience": "JWT_ENCODE_AUDIENCE",
    "leeway": "JWT_DECODE_LEEWAY",
}


class _Config:
    """An attribute for each option, read from the configuration each time."""

    __slots__ = ()

    @property
    def token_location(self) -> Any:
        settings = self._settings()
        written = current_app.config["JWT_TOKEN_LOCATION"]
        return settings.token_location if isinstance(written, str) else written

    def __getattr__(self, name: str) -> Any:
        settings = self._settings()
        if name in _AS_WRITTEN:
            return current_app.config[_AS_WRITTEN[name]]
        return _DERIVED[name](settings) if name in _DERIVED else getattr(settings, name)

    @staticmethod
    def _settings() -> Settings:
        return get_state(get_app()).settings


config = _Config()
