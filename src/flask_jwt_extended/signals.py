"""What happened, for whoever listens: the log, and blinker signals, sent with the application as their sender.

Those about sessions carry ``session_id``, ``identity`` (the identity claim) and ``cause``, a stable word. No signal
holds a token.
"""

from __future__ import annotations

import logging

from blinker import Namespace

logger = logging.getLogger("flask_jwt_extended")

_signals = Namespace()

#: A token, or a request for want of one, was refused. Sent with ``code``, the stable reason of
#: :func:`flask_jwt_extended.exceptions.code_of`, and ``error``, the exception that was raised. Neither holds the token.
token_refused = _signals.signal("flask-jwt-extended.token-refused")

#: A token would have been refused, and its request passed all the same: ``report_only``, JWT_REPORT_ONLY, or
#: ``optional="if-valid"``, which lets it pass as anonymous. Sent with ``code`` and ``error``, as token_refused is.
would_refuse = _signals.signal("flask-jwt-extended.would-refuse")

#: A token passed whose ``sub`` is no string, as those of 4.6 may be (JWT_LEGACY_SUB_UNTIL). Sent with ``count``, how
#: many did in this process.
legacy_subject = _signals.signal("flask-jwt-extended.legacy-subject")

#: A token that is bound to a key (``cnf``, RFC 7800) was accepted without a proof that its sender has the key
#: (JWT_BOUND_TOKENS = "warn"). Sent with ``issuer``, the trusted issuer of the token; ``None``: this application.
bound_token_accepted = _signals.signal("flask-jwt-extended.bound-token-accepted")

#: A session was started. Cause: ``login``.
session_started = _signals.signal("flask-jwt-extended.session-started")

#: A session goes on with new tokens. Causes: ``rotation``, of its refresh token; ``implicit``, without it.
session_refreshed = _signals.signal("flask-jwt-extended.session-refreshed")

#: A refresh token was used again within its grace, and answered with the same successor. Cause: ``grace``.
refresh_retried = _signals.signal("flask-jwt-extended.refresh-retried")

#: A refresh token was used again after its grace: its session is being ended. Causes: ``after_grace``, it is the
#: predecessor of the current one; ``superseded``, it is older, or was never the session's.
refresh_theft_detected = _signals.signal("flask-jwt-extended.refresh-theft-detected")

#: A session has ended before its time. Causes: ``logout``, ``logout_everywhere``, ``reuse`` of a refresh token,
#: ``token_revoked`` if that was its refresh token, ``replaced`` by a session that was started in a request with its
#: tokens, ``operator`` on the command line.
session_ended = _signals.signal("flask-jwt-extended.session-ended")

#: The store did not answer. Sent with ``cause``, the name of the error, and ``allowed``: whether a request passed
#: unchecked (JWT_STORE_OUTAGE = "allow").
store_outage = _signals.signal("flask-jwt-extended.store-outage")
