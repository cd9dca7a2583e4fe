"""What happened, for whoever listens: blinker signals, sent with the application as their sender."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: A token, or a request for want of one, was refused. Sent with ``code``, the stable reason of
#: :func:`flask_jwt_extended.exceptions.code_of`, and ``error``, the exception that was raised. Neither holds the token.
token_refused = _signals.signal("flask-jwt-extended.token-refused")
