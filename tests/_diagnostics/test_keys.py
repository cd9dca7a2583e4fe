"""What ``flask jwt check`` and ``flask jwt inspect`` say of sets, fallbacks and other people's issuers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.application import check, startup_checks
from flask_jwt_extended._diagnostics.key_digest import key_digest
from flask_jwt_extended._diagnostics.token import Inspection, inspect_token
from flask_jwt_extended._jose.jwk_set import to_jwk
from flask_jwt_extended.exceptions import ConfigurationError

from .._cli.helpers import HEAD, run_module, write
from .._keys.helpers import JWKS, public, write_set
from .._keys.lying_server import LyingServer, serves
from .._keys.test_current import made_by
from .._sessions.helpers import NOW
from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, pem
from ..tokens import access_token

EC, RSA = JWKS["ES256"], JWKS["RS256"]
#: What has nothing to do with keys.
BESIDE = {"compat_profile", "no_next_key"}
ISSUER = "https://login.example"


def found(app: Flask) -> dict[str, str]:
    """The severities of the findings by code, after checking that each is a sentence without a key."""
    findings = {finding.code: finding for finding in check(app, get_state(app))}
    for finding in findings.values():
        assert min(len(finding.message.split()), len(finding.why.split()), len(finding.fix.split())) >= 3
        assert not [jwk["d"] for jwk in (EC, RSA) if jwk["d"] in str(finding)]
    return {code: finding.severity for code, finding in findings.items() if code not in BESIDE}


def codes(app: Flask) -> set[str]:
    return {finding.code for finding in check(app, get_state(app))}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_set(tmp_path / "keys.json", EC, RSA | {"state": "next"})


def test_a_good_set_has_no_findings(make_app: MakeApp, path: Path) -> None:
    """JWT_SECRET_KEY and the keys of JWT_ALGORITHM do not matter then."""
    assert found(make_app(KEYS=path, SECRET_KEY=None)) == {}
    assert found(make_app(KEYS=path, SECRET_KEY=None, ALGORITHM="RS256")) == {}
    app = make_app(KEYS=path, SECRET_KEY=None, ALGORITHM="RS256")
    assert list(startup_checks(app, get_state(app))) == []
    assert found(make_app(KEYS=path, DECODE_ALGORITHMS=["HS256"], ALGORITHM="RS256")) == {}


def test_a_set_that_cannot_be_used_is_an_error(make_app: MakeApp, tmp_path: Path) -> None:
    """The file does not exist, or is not a JWK Set."""
    assert found(make_app(KEYS=tmp_path / "nowhere.json")) == {"unusable_keys": "error"}
    for keys in ([EC, EC], 5, tmp_path):
        app = make_app(KEYS=[EC])
        app.config["JWT_KEYS"] = keys
        assert found(app) == {"unusable_keys": "error"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_file_that_others_may_read_is_an_error(make_app: MakeApp, path: Path, mode: int) -> None:
    """Or change. Public keys may be readable."""
    path.chmod(mode)
    assert found(make_app(KEYS=path)) == {"exposed_keys": "error"}
    write_set(path, public(EC)).chmod(mode)
    assert found(make_app(KEYS=path)) == {"no_signing_key": "info"}


@pytest.mark.parametrize(
    ("keys", "severity"),
    [
        ([EC | {"state": "next"}], "error"),
        ([EC | {"state": "retiring"}, RSA | {"state": "next"}], "error"),
        ([public(EC)], "info"),
        ([public(EC), RSA | {"state": "next"}], "error"),
        ([EC], None),
        ([JWKS["HS256"]], None),
    ],
)
def test_a_set_that_cannot_sign_is_reported(make_app: MakeApp, keys: Any, severity: str | None) -> None:
    """An error if it has private keys; a service that only verifies is fine."""
    assert found(make_app(KEYS=keys)).get("no_signing_key") == severity


def test_a_key_that_retires_without_an_end_is_reported(make_app: MakeApp) -> None:
    """It would verify forever."""
    assert found(make_app(KEYS=[EC, RSA | {"state": "retiring"}])) == {"endless_retirement": "warning"}
    assert found(make_app(KEYS=[EC, RSA | {"state": "retiring", "until": 4_000_000_000}])) == {}


def test_a_set_without_a_next_key_is_reported(make_app: MakeApp) -> None:
    """Not if the application only verifies."""
    assert "no_next_key" in codes(make_app(KEYS=[EC]))
    assert "no_next_key" not in codes(make_app(KEYS=[EC, RSA | {"state": "next"}]))
    assert "no_next_key" not in codes(make_app(KEYS=[EC | {"state": "next"}]))


def test_a_path_that_publishes_nothing_is_reported(make_app: MakeApp) -> None:
    """Secrets are never published."""
    assert found(make_app(JWKS_PATH="/jwks.json")) == {"nothing_published": "warning"}
    assert found(make_app(JWKS_PATH="/jwks.json", KEYS=[JWKS["HS256"]])) == {"nothing_published": "warning"}
    assert found(make_app(JWKS_PATH="/jwks.json", KEYS=[EC])) == {}
    app = make_app(JWKS_PATH="/jwks.json")
    app.config["JWT_KEYS"] = 5
    assert found(app) == {"unusable_keys": "error"}


def test_fallbacks_are_checked_like_secrets(make_app: MakeApp) -> None:
    """They are weak, the same as the signing secret, or unused."""
    private, public_pem = pem(PRIVATE_KEYS["RS256"])
    pair = {"ALGORITHM": "RS256", "PRIVATE_KEY": private, "PUBLIC_KEY": public_pem}
    assert found(make_app(SECRET_KEY_FALLBACKS=[SECRET[::-1]])) == {}
    assert found(make_app(SECRET_KEY_FALLBACKS=["changeme"])) == {"guessable_secret": "error", "short_key": "warning"}
    assert found(make_app(SECRET_KEY_FALLBACKS=[SECRET])) == {"current_fallback": "warning"}
    assert found(make_app(SECRET_KEY_FALLBACKS=[SECRET[::-1]], **pair)) == {"idle_fallbacks": "warning"}


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with LyingServer() as running:
        yield running


def trusting(server: LyingServer) -> dict[str, Any]:
    return {"TRUSTED_ISSUERS": {ISSUER: {"jwks_uri": server.url("/keys"), "audience": "us"}}}


def test_an_issuer_that_cannot_be_reached_is_an_error(make_app: MakeApp, server: LyingServer) -> None:
    """The check fetches once."""
    assert found(make_app(**trusting(server))) == {"issuer_unreachable": "error"}
    assert server.asked["/keys"] == 1
    server.answers["/keys"] = serves({"keys": [public(EC)]})
    assert found(make_app(**trusting(server))) == {}


def test_without_the_client_library_the_extra_is_named(
    make_app: MakeApp, server: LyingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "urllib3", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'flask-jwt-extended\[issuers\]'"):
        make_app(**trusting(server))


ENCRYPTS, UNKNOWN = public(RSA) | {"use": "enc", "kid": "e"}, {"kty": "AKP", "alg": "ML-DSA-44", "kid": "u"}
FULLY_SPECIFIED = public(JWKS["EdDSA"]) | {"alg": "Ed25519", "kid": "f"}
SIGNS_ONLY = public(EC) | {"key_ops": ["encrypt"], "kid": "o"}
WEAK = to_jwk("RS256", rsa.generate_private_key(65537, 1024).public_key()) | {"kid": "w"}
UNUSABLE = {
    "its use is 'enc'": ENCRYPTS,
    "the kty 'AKP' is not known": UNKNOWN,
    "its alg 'Ed25519' is not accepted": FULLY_SPECIFIED,
    "key_ops do not include verify": SIGNS_ONLY,
    "below the minimum": WEAK,
}


@pytest.mark.parametrize("reason", UNUSABLE)
def test_an_issuer_without_a_usable_key_is_an_error(make_app: MakeApp, server: LyingServer, reason: str) -> None:
    """The finding gives the reason for each key. If another key is usable, it is an info."""
    server.answers["/keys"] = serves({"keys": [UNUSABLE[reason]]})
    app = make_app(**trusting(server))
    assert found(app) == {"issuer_without_usable_keys": "error"}
    (finding,) = [each for each in check(app, get_state(app)) if each.code == "issuer_without_usable_keys"]
    assert ISSUER in finding.message
    assert f"key '{UNUSABLE[reason]['kid']}'" in finding.message
    assert reason in finding.message
    server.answers["/keys"] = serves({"keys": [UNUSABLE[reason], public(EC)]})
    app = make_app(**trusting(server))
    assert found(app) == {"unusable_issuer_keys": "info"}
    (finding,) = [each for each in check(app, get_state(app)) if each.code == "unusable_issuer_keys"]
    assert reason in finding.message


@pytest.mark.parametrize(
    "keys", [{"keys": []}, *([each] for each in (ENCRYPTS, UNKNOWN, FULLY_SPECIFIED, EC | {"until": 1}))]
)
def test_a_set_without_a_usable_key_is_an_error(make_app: MakeApp, caplog: pytest.LogCaptureFixture, keys: Any) -> None:
    """Also in an application that only verifies. It is logged before the first request."""
    app = make_app(KEYS=keys)
    assert found(app) == {"no_usable_key": "error"}
    caplog.clear()
    app.test_client().get("/")
    assert [record.getMessage()[:34] for record in caplog.records] == ["JWT_KEYS has no usable key. flask "]


@pytest.mark.parametrize(
    ("skipped", "reason"),
    [
        (FULLY_SPECIFIED, "kid 'f', its alg 'Ed25519' is not accepted"),
        (EC | {"alg": "es256", "kid": "t"}, "kid 't', its alg 'es256' is not accepted"),
        (UNKNOWN, "kid 'u', the kty 'AKP' is not known"),
        (ENCRYPTS, None),
    ],
)
def test_a_key_of_ours_that_is_skipped_is_named_in_the_log(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, skipped: dict[str, Any], reason: str | None
) -> None:
    """Unless the key is for encryption. The other keys of the set work."""
    app = make_app(KEYS=[skipped, EC])
    wanted = [] if reason is None else [f"A key of a JWK Set is skipped: {reason}"]
    assert [record.getMessage() for record in caplog.records] == wanted
    assert access_token(app)


def test_an_issuer_without_any_key_is_an_error(make_app: MakeApp, server: LyingServer) -> None:
    """The issuer may have withdrawn them."""
    server.answers["/keys"] = serves({"keys": []})
    assert found(make_app(**trusting(server))) == {"issuer_without_usable_keys": "error"}


def test_of_many_unusable_keys_a_few_are_named(make_app: MakeApp, server: LyingServer) -> None:
    """The finding stays short, even if the kids are long."""
    server.answers["/keys"] = serves({"keys": [UNKNOWN | {"kid": str(number) * 5000} for number in range(90)]})
    app = make_app(**trusting(server))
    (finding,) = [each for each in check(app, get_state(app)) if each.code == "issuer_without_usable_keys"]
    assert "and 80 more" in finding.message
    assert len(finding.message) < 2000


def test_a_resource_server_needs_no_key_of_its_own(make_app: MakeApp, server: LyingServer) -> None:
    """A missing key is then an info."""
    server.answers["/keys"] = serves({"keys": [public(EC)]})
    assert found(make_app(SECRET_KEY=None, **trusting(server))) == {"missing_key": "info"}


def test_a_set_that_differs_from_process_to_process_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made when the application is loaded, with the same kid each time."""
    from_file = f"{HEAD}\napp = Flask(__name__)\napp.config.update(JWT_PROFILE='strict', JWT_KEYS=['made'])\n"
    made = "[generate('ES256', 0) | {'kid': 'k', 'state': 'active'}]"
    source = "from flask_jwt_extended._jose.key_states import generate\n" + from_file.replace("['made']", made)
    write(tmp_path, source + "JWTManager(app)\n")
    findings = json.loads(run_module(monkeypatch, tmp_path, "check", "--json").stdout)
    assert [finding["code"] for finding in findings] == ["key_differs", "no_next_key"]


def test_the_digest_of_a_set_is_that_of_its_keys(make_app: MakeApp, path: Path) -> None:
    """Their kids do not matter."""
    renamed = [EC | {"kid": "1"}, RSA | {"kid": "2", "state": "next"}]
    digests = {key_digest(get_state(make_app(KEYS=keys)), b"salt") for keys in (path, renamed)}
    assert len(digests) == 1
    assert key_digest(get_state(make_app(KEYS=[RSA])), b"salt") not in digests


# --- inspect --------------------------------------------------------------------------------------------------------


def inspect(app: Flask, encoded: str) -> Inspection:
    return inspect_token(encoded, get_state(app), NOW + 5)


def why(inspection: Inspection, name: str) -> str:
    return next(verdict.why for verdict in inspection.verdicts if verdict.name == name)


def test_inspection_names_the_key(make_app: MakeApp) -> None:
    """By its kid. A token of another key is refused."""
    app = make_app(KEYS=[EC])
    good = inspect(app, made_by(EC))
    assert good.accepted
    assert why(good, "signature") == f"made by the key {EC['kid']}"
    assert not inspect(app, made_by(RSA)).accepted
    assert why(inspect(app, made_by(RSA)), "algorithm") == "The specified alg value is not allowed"


def test_inspection_names_the_issuer(make_app: MakeApp, server: LyingServer) -> None:
    """The issuer's settings apply; its type and sid claims mean nothing here."""
    server.answers["/keys"] = serves({"keys": [public(EC)]})
    app = make_app(STORE_URI="memory://", **trusting(server))
    claims = {"iss": ISSUER, "aud": "us", "sub": "ada", "iat": NOW, "exp": NOW + 60, "type": "Bearer", "sid": "theirs"}

    def signed(**others: Any) -> str:
        return pyjwt.encode(claims | others, PRIVATE_KEYS["ES256"], "ES256", headers={"kid": EC["kid"]})

    good = inspect(app, signed())
    assert good.accepted, good.verdicts
    assert why(good, "signature") == f"made by a key of {ISSUER}"
    assert why(good, "type") == "for views that require access tokens"
    refused = inspect(app, signed(aud="them"))
    assert not refused.accepted
    assert "udience" in why(refused, "aud")
    assert not inspect(app, signed(sub=5)).accepted
    assert inspect(app, access_token(app)).header is not None
