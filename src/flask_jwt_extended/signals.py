"""The log of this package, and its blinker signals, which the application sends. No signal contains a token. Those of
sessions have ``session_id``, ``identity`` (the identity claim) and ``cause``, a stable word.

.. versionadded:: 5.0
"""

from __future__ import annotations

import logging

from blinker import Namespace

logger = logging.getLogger("flask_jwt_extended")

_signals = Namespace()

#: A token, or a request without a token, was refused. Sent with ``code``, the stable reason of
#: :func:`flask_jwt_extended.exceptions.code_of`, and ``error``, the exception.
token_refused = _signals.signal("flask-jwt-extended.token-refused")

#: A request passed, although its token would be refused without ``report_only``, JWT_REPORT_ONLY or
#: ``optional="if-valid"``, which lets it pass as anonymous. Sent with ``code`` and ``error``, as ``token_refused``.
would_refuse = _signals.signal("flask-jwt-extended.would-refuse")

#: A token passed whose ``sub`` is not a string, as tokens of 4.6 (JWT_LEGACY_SUB_UNTIL). Sent with ``count``, the
#: number of such tokens in this process.
legacy_subject = _signals.signal("flask-jwt-extended.legacy-subject")

#: A token that is bound to a key (``cnf``, RFC 7800) was accepted without proof that its sender has the key
#: (JWT_BOUND_TOKENS = "warn"). Sent with ``issuer``: the trusted issuer of the token, or ``None`` for this application.
bound_token_accepted = _signals.signal("flask-jwt-extended.bound-token-accepted")

#: A session was started. Cause: ``login``.
session_started = _signals.signal("flask-jwt-extended.session-started")

#: A session got new tokens. Causes: ``rotation`` of its refresh token, ``implicit`` without it.
session_refreshed = _signals.signal("flask-jwt-extended.session-refreshed")

#: A refresh token was used again within its grace period and got the same successor. Cause: ``grace``.
refresh_retried = _signals.signal("flask-jwt-extended.refresh-retried")

#: A refresh token was used again after its grace period, and its session ends. Causes: ``after_grace`` for the
#: predecessor of the current one, ``superseded`` for one that is older or was never part of the session.
refresh_theft_detected = _signals.signal("flask-jwt-extended.refresh-theft-detected")

#: A session was ended. Causes: ``logout``, ``logout_everywhere``, ``reuse`` of a refresh token, ``token_revoked`` for
#: its refresh token, ``replaced`` by a session that was started in a request with its tokens, ``operator`` on the
#: command line.
session_ended = _signals.signal("flask-jwt-extended.session-ended")

#: The store did not answer. Sent with ``cause``, the name of the error, and ``allowed``: whether the request passed
#: unchecked (JWT_STORE_OUTAGE = "allow").
store_outage = _signals.signal("flask-jwt-extended.store-outage")
