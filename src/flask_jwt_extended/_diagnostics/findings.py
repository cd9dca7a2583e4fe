"""The texts of all findings, by code: severity, message, reason and fix.

A check names the code and fills in the placeholders: ``finding("no_next_key")``. To add a finding, add its texts here,
a row to the table in ``docs/cli.md``, and a check to ``application.py`` or ``keys.py``.
"""

from __future__ import annotations

from typing import NamedTuple

from ..stores.findings import Finding, Severity

NEW_SECRET = "python -c 'import secrets; print(secrets.token_hex(64))'"


class _Texts(NamedTuple):
    severity: Severity
    message: str
    why: str
    fix: str


TEXTS: dict[str, _Texts] = {
    "configuration": _Texts(
        "error",
        "{error}",
        "The application cannot answer any request that needs a token.",
        "Correct this first: nothing else was checked.",
    ),
    # --- keys -------------------------------------------------------------------------------------------------------
    "missing_key": _Texts(
        "error",
        "{error}",
        "Without the {use} key, {consequence}.",
        "{fix}",
    ),
    "unusable_key": _Texts(
        "error",
        "{option} cannot be used with {algorithm}: {error}",
        "Every request that needs this key fails.",
        "{fix}",
    ),
    "guessable_secret": _Texts(
        "error",
        "{weakness}",
        "With a single token, an attacker can search for the key offline, and then make tokens for any user.{refused}",
        "{fix}",
    ),
    "short_key": _Texts(
        "warning",
        "{weakness}",
        "With a single token, an attacker can search for the key offline, and then make tokens for any user.{refused}",
        "{fix}",
    ),
    "current_fallback": _Texts(
        "warning",
        "JWT_SECRET_KEY_FALLBACKS contains JWT_SECRET_KEY itself",
        "The secret that should have been replaced still signs.",
        f"Set JWT_SECRET_KEY to a new secret: {NEW_SECRET}",
    ),
    "idle_fallbacks": _Texts(
        "warning",
        "JWT_SECRET_KEY_FALLBACKS is set, but no symmetric algorithm is accepted",
        "Its secrets verify nothing.",
        "Add the algorithm of their tokens, for example HS256, to JWT_DECODE_ALGORITHMS, or remove the fallbacks.",
    ),
    "unrelated_keys": _Texts(
        "error",
        "JWT_PRIVATE_KEY and JWT_PUBLIC_KEY are not a pair",
        "The application refuses every token that it issues.",
        "Derive the public key from the private one: openssl pkey -in private.pem -pubout",
    ),
    "mixed_algorithms": _Texts(
        "error",
        "JWT_DECODE_ALGORITHMS mixes symmetric and asymmetric algorithms: {algorithms}",
        "A public key is known to everyone, so it must never be used as an HMAC secret. One key cannot serve both "
        "kinds: the tokens of one kind are refused.",
        "Name algorithms of one kind. To change from one kind to the other, choose the key in decode_key_loader.",
    ),
    "unfit_algorithm": _Texts(
        "warning",
        "JWT_DECODE_ALGORITHMS names {algorithms}, which the verification key cannot be used with",
        "Tokens signed with these algorithms are refused.",
        "Remove them from the list, or choose the key in decode_key_loader.",
    ),
    "shared_key": _Texts(
        "warning",
        "{option} is used with several algorithms ({algorithms}), but a key should have only one",
        "The sender of a token chooses which of them is used (RFC 8725bis, section 3.1).",
        "Keep one of them in JWT_DECODE_ALGORITHMS, or set JWT_KEYS to a JWK Set with a key for each.",
    ),
    "key_differs": _Texts(
        "error",
        "Each process of this application has its own signing key",
        "The key is made when the application is loaded. One worker refuses the tokens of another, and every restart "
        "ends all sessions.",
        f"Make the key once ({NEW_SECRET}) and read it from the environment.",
    ),
    "key_not_compared": _Texts(
        "info",
        "Could not check that every process has the same key: {reason}",
        "A key made when the application is loaded differs between workers, and a restart ends all sessions.",
        "Read the key from the environment or a file. flask --app yourmodule jwt check compares the keys.",
    ),
    # --- JWT_KEYS and issuers -----------------------------------------------------------------------------------------
    "unusable_keys": _Texts(
        "error",
        "{error}",
        "No token can be issued or verified.",
        "Check that the file exists and contains a JWK Set. flask jwt keys generate makes one.",
    ),
    "exposed_keys": _Texts(
        "error",
        "Other users of this machine can read or change {name}, the file of JWT_KEYS",
        "Anyone with a private key can make tokens for any identity.",
        "chmod 600 {path}, and make the user that runs the application its owner.",
    ),
    "no_usable_key": _Texts(
        "error",
        "JWT_KEYS has no usable key",
        "No token can be issued.",
        "flask jwt keys generate makes a key. Keys that have retired, are not for signatures, or have an unsupported "
        "alg do not count; the log names the unsupported ones.",
    ),
    "no_signing_key": _Texts(
        "error",
        "No private key of JWT_KEYS is active",
        "The application can verify tokens but not issue any.",
        "If it has to issue tokens: flask jwt keys rotate",
    ),
    "endless_retirement": _Texts(
        "warning",
        "Retiring keys of JWT_KEYS have no end: {kids}",
        "They verify tokens forever, including those made with a stolen copy of them.",
        'flask jwt keys retire KID, or set "until" to a time in ISO 8601.',
    ),
    "no_next_key": _Texts(
        "info",
        "JWT_KEYS has no next key",
        "If the signing key leaks, its replacement is not yet known to any verifier.",
        "flask jwt keys generate",
    ),
    "nothing_published": _Texts(
        "warning",
        "JWT_JWKS_PATH serves a JWK Set without a key at {path}",
        "Secrets are never published, and there are no other keys.",
        "Sign with a key pair: set JWT_KEYS, then run flask jwt keys generate",
    ),
    "issuer_unreachable": _Texts(
        "error",
        "Cannot fetch the keys of {issuer}: {reason}",
        "Requests with its tokens get a 503.",
        "Check jwks_uri or discovery in JWT_TRUSTED_ISSUERS, and that this machine can reach the issuer.",
    ),
    "issuer_without_usable_keys": _Texts(
        "error",
        "No key of {issuer} can be used: {reasons}",
        "All its tokens are refused.",
        "Check the algorithms of this issuer in JWT_TRUSTED_ISSUERS, and the keys that it publishes.",
    ),
    "unusable_issuer_keys": _Texts(
        "info",
        "Some keys of {issuer} are ignored: {reasons}",
        "Tokens signed with them are refused.",
        "If they sign your tokens, check the algorithms of this issuer in JWT_TRUSTED_ISSUERS.",
    ),
    # --- options ------------------------------------------------------------------------------------------------------
    "unknown_option": _Texts(
        "warning",
        "{name} is not a known option of flask_jwt_extended",
        "It has no effect: the option you meant keeps its default.",
        "{fix}",
    ),
    "doubtful_cookie": _Texts(
        "warning",
        "{doubt}",
        "Browsers may drop the cookie, keep it after a logout, or let one cookie replace the other.",
        "Choose another name or path.",
    ),
    "never_expires": _Texts(
        "warning",
        "{option} is False: {kind} tokens never expire",
        "A token that was stolen or logged works for as long as the key does.",
        "Set {option} to a timedelta.",
    ),
    "long_access_lifetime": _Texts(
        "warning",
        "{option}: access tokens are valid for {duration}",
        "A stolen token works for that long, and so does the token of a user whom you have locked out.",
        "Use a lifetime of minutes, and renew access tokens with a refresh token.",
    ),
    "large_leeway": _Texts(
        "warning",
        "JWT_DECODE_LEEWAY accepts expired tokens for {duration}",
        "It is meant for clocks that differ by seconds, and extends the lifetime of every token.",
        "Set it to 60 or less, and synchronise the clocks.",
    ),
    "own_tokens_refused": _Texts(
        "error",
        "The application refuses its own {kind} tokens: {error}",
        "Every request with a token made under these settings is refused.",
        "{fix}",
    ),
    "missing_oauth_claims": _Texts(
        "warning",
        "Access tokens do not have {claims}, although JWT_ACCESS_TOKEN_TYP is 'at+jwt'",
        "RFC 9068, section 2.2 requires it, and other services may refuse a token without it.",
        "Return it from additional_claims_loader, or pass additional_claims each time you make a token.",
    ),
    "insecure_cookies": _Texts(
        "warning",
        "Tokens travel in cookies, and JWT_COOKIE_SECURE is off",
        "Browsers also send the cookies over plain HTTP, where anyone on the network can read them.",
        "Set JWT_COOKIE_SECURE = True. Browsers accept such cookies from http://localhost too.",
    ),
    "cross_site_cookies": _Texts(
        "warning",
        "JWT_COOKIE_SAMESITE is {value}",
        "Browsers may send the cookies with requests that other sites start.",
        'Set JWT_COOKIE_SAMESITE = "Lax" or "Strict", unless other sites embed this one.',
    ),
    "no_csrf_protection": _Texts(
        "error",
        "Tokens travel in cookies without CSRF protection",
        "Any web page can make a browser send a request with its user's cookie.",
        "Set JWT_COOKIE_CSRF_PROTECT = True, and keep the default of JWT_CSRF_METHODS.",
    ),
    "token_in_url": _Texts(
        "warning",
        "Tokens are accepted in the query string",
        "URLs are stored in access logs, browser histories and Referer headers (RFC 6750, section 2.3).",
        "Remove query_string from JWT_TOKEN_LOCATION, or allow it only in the locations of the views that need it, "
        "with short-lived tokens.",
    ),
    "compat_profile": _Texts(
        "info",
        'JWT_PROFILE is "compat", with the defaults of Flask-JWT-Extended 4.7',
        "Some of these defaults are weaker than what is recommended today.",
        'Use JWT_PROFILE = "strict" in a new application. See docs/security.md.',
    ),
    # --- sessions -----------------------------------------------------------------------------------------------------
    "store_unreachable": _Texts(
        "error",
        "The session store is unavailable: {reason}",
        "Users cannot log in or refresh, and revoked tokens cannot be recognised.",
        "Check that the store is running, and that JWT_STORE_URI and JWT_STORE_TIMEOUT are correct.",
    ),
    "outage_allows": _Texts(
        "warning",
        'JWT_STORE_OUTAGE is "allow"',
        "While the store is unavailable, revoked access tokens and those of ended sessions are accepted.",
        'Set it to "refuse", unless an outage is worse than a stolen token.',
    ),
    "long_grace": _Texts(
        "warning",
        "JWT_REFRESH_GRACE accepts a used refresh token for {duration}",
        "During that time, theft of a used refresh token is not detected.",
        "Set it to 10: it is meant for two tabs that refresh at the same time, and for lost responses.",
    ),
    "no_grace": _Texts(
        "info",
        "JWT_REFRESH_GRACE is 0: a refresh token that is used twice ends its session",
        "Two tabs that refresh at the same time log their user out, and so does a lost response.",
        "Set it to 10, unless neither can happen to your client.",
    ),
    "short_idle_timeout": _Texts(
        "warning",
        "JWT_SESSION_IDLE_TIMEOUT ends a session {idle} after its last refresh, but its access token {lifetime}",
        "A client that refreshes when its access token has expired is too late: its user is logged out.",
        "Make JWT_ACCESS_TOKEN_EXPIRES less than half of JWT_SESSION_IDLE_TIMEOUT.",
    ),
    "short_session_lifetime": _Texts(
        "info",
        "JWT_SESSION_LIFETIME ends a session after {lifetime}, so JWT_REFRESH_TOKEN_EXPIRES ({refresh}) has no effect",
        "No token of a session is valid for longer than the session.",
        "If logins should last longer, increase JWT_SESSION_LIFETIME.",
    ),
    # --- views --------------------------------------------------------------------------------------------------------
    "unprotected_view": _Texts(
        "error",
        "{rules}: anyone can call {view}, because {reason}",
        "{why}",
        "{fix}",
    ),
    "unenforced_decorator": _Texts(
        "warning",
        "{rules}: the requirements of {view} are not checked, because {reason}",
        "{why} Something else protects the view, but with other requirements.",
        "{fix}",
    ),
    "covered_decorator": _Texts(
        "warning",
        "{rules}: {decorator} is above @jwt_required()",
        "{why}",
        "Put @jwt_required() directly below the route, above every other decorator.",
    ),
    "unused_exemption": _Texts(
        "warning",
        "{rules}: @jwt_exempt has no effect, because the view is also protected",
        "It exempts from jwt.protect only. @jwt_required() and before_request functions still require a token.",
        "Remove one of the two.",
    ),
    "exempts_everything": _Texts(
        "error",
        "jwt.protect protects no view of {what}: its exempt contains the pattern {pattern!r}",
        "The pattern matches every endpoint.",
        "Name the endpoints that are public, or decorate their views with @jwt_exempt.",
    ),
}


def finding(code: str, severity: Severity | None = None, **values: object) -> Finding:
    """Make a finding.

    :param severity: where it differs from the usual one
    :param values: for the placeholders of its texts
    """
    usual, *texts = TEXTS[code]
    return Finding(severity or usual, code, *(text.format_map(values) for text in texts))
