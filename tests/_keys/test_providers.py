"""The recipes of docs/issuers.md, as they stand there, against what each provider says its documents look like.

The metadata, sets and tokens are written from the providers' documentation; the keys are our own. All of it is served
by a real server on this machine, in place of the provider's host.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from runpy import run_path
from typing import Any
from urllib.parse import urlsplit

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from flask_jwt_extended import jwt_required
from flask_jwt_extended._jose.jwk_set import to_jwk

from ..conftest import MakeApp, bearer
from .helpers import without
from .lying_server import LyingServer, serves

PAGE = Path(__file__).parents[2] / "docs" / "issuers.md"
WELL_KNOWN = "/.well-known/openid-configuration"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
UUID = "7d4a3c7e-8a52-4c52-a2f0-2a6f3a3d0c11"

Claims = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What a provider serves and issues.

    :ivar keys_path: where its keys are, behind its host
    :ivar jwk: the members of its keys, beside those of the key itself
    :ivar access: what its access token says, or whatever its clients send to an API
    :ivar identity: whose token that is
    :ivar wrong: tokens of the same issuer that are for somebody or something else, as changes of that
    :ivar header: the header of its tokens, beside ``alg`` and ``kid``
    :ivar metadata: whether its keys are found by way of its metadata
    :ivar scope: a scope of that token that the recipe lets it grant; ``None``: it has none for an API
    :ivar role: a role that the recipe lets it grant
    """

    keys_path: str
    jwk: Claims
    access: Claims
    identity: str
    wrong: dict[str, Claims]
    header: Claims = field(default_factory=lambda: {"typ": "JWT"})
    metadata: bool = True
    key: Any = RSA
    algorithm: str = "RS256"
    scope: str | None = None
    role: str | None = None


PROVIDERS = {
    "Keycloak": Provider(
        keys_path="/realms/shop/protocol/openid-connect/certs",
        jwk={"alg": "RS256", "use": "sig", "x5c": ["MIIC"], "x5t": "abc", "x5t#S256": "abc"},
        access={
            "jti": f"onrtac:{UUID}",
            "aud": ["orders-api", "account"],
            "sub": UUID,
            "typ": "Bearer",
            "azp": "web",
            "sid": UUID,
            "acr": "1",
            "allowed-origins": ["https://shop.example.com"],
            "realm_access": {"roles": ["offline_access", "default-roles-shop"]},
            "resource_access": {"account": {"roles": ["manage-account"]}},
            "scope": "openid profile email orders:read",
            "email_verified": True,
            "preferred_username": "ada",
        },
        identity=UUID,
        scope="orders:read",
        wrong={
            "without the audience mapper": {"aud": "account"},
            "an ID token": {"aud": "web", "typ": "ID", "at_hash": "abc"},
        },
    ),
    "Auth0": Provider(
        keys_path="/.well-known/jwks.json",
        jwk={"alg": "RS256", "use": "sig", "x5c": ["MIID"], "x5t": "abc"},
        access={
            "sub": "auth0|6553da60a54af58e29493993",
            "aud": ["https://api.example.com", "https://TENANT.eu.auth0.com/userinfo"],
            "azp": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja",
            "scope": "openid profile read:orders",
            "permissions": ["read:orders"],
        },
        identity="auth0|6553da60a54af58e29493993",
        scope="read:orders",
        wrong={
            "an ID token": {"aud": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja", "nickname": "ada", "sid": "abc"},
            "for another API": {"aud": ["https://other.example.com", "https://TENANT.eu.auth0.com/userinfo"]},
        },
    ),
    "Microsoft Entra ID": Provider(
        keys_path="/TENANT-ID/discovery/v2.0/keys",
        jwk={"use": "sig", "x5t": "abc", "x5c": ["MIIC"], "issuer": "https://login.microsoftonline.com/TENANT-ID/v2.0"},
        access={
            "aud": "API-CLIENT-ID",
            "aio": "AXQAi/8TAAAA",
            "azp": "CLIENT-ID-OF-THE-SPA",
            "azpacr": "0",
            "name": "Ada",
            "oid": UUID,
            "preferred_username": "ada@example.com",
            "rh": "0.AAAA",
            "roles": ["Orders.Admin"],
            "scp": "access_as_user",
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
            "tid": "TENANT-ID",
            "uti": "fqiBqXLPj0eQa82S-IYFAA",
            "ver": "2.0",
        },
        identity=UUID,
        scope="access_as_user",
        role="Orders.Admin",
        wrong={
            "for Microsoft Graph": {"aud": "00000003-0000-0000-c000-000000000000"},
            "an ID token of the SPA": {"aud": "CLIENT-ID-OF-THE-SPA"},
            "of version 1": {"iss": "https://sts.windows.net/TENANT-ID/", "ver": "1.0"},
            "of another tenant": {"iss": "https://login.microsoftonline.com/OTHER/v2.0", "tid": "OTHER"},
        },
    ),
    "Google": Provider(
        keys_path="/oauth2/v3/certs",
        jwk={"alg": "RS256", "use": "sig"},
        access={
            "azp": "CLIENT-ID.apps.googleusercontent.com",
            "aud": "CLIENT-ID.apps.googleusercontent.com",
            "sub": "110169484474386276334",
            "email": "ada@example.com",
            "email_verified": True,
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
            "name": "Ada",
        },
        identity="110169484474386276334",
        wrong={
            "for another application": {"aud": "OTHER.apps.googleusercontent.com"},
            "of the old issuer": {"iss": "accounts.google.com"},
        },
    ),
    "Amazon Cognito": Provider(
        keys_path="/eu-central-1_POOLID/.well-known/jwks.json",
        jwk={"alg": "RS256", "use": "sig"},
        header={},
        access={
            "sub": UUID,
            "cognito:groups": ["admins"],
            "version": 2,
            "client_id": "APP-CLIENT-ID",
            "origin_jti": UUID,
            "event_id": UUID,
            "token_use": "access",
            "scope": "openid profile orders/read",
            "auth_time": 1_700_000_000,
            "jti": UUID,
            "username": "ada",
        },
        identity=UUID,
        scope="orders/read",
        wrong={
            "an ID token": {"client_id": None, "aud": "APP-CLIENT-ID", "token_use": "id"},
            "of another client": {"client_id": "OTHER-CLIENT-ID"},
        },
    ),
    "Okta": Provider(
        keys_path="/oauth2/default/v1/keys",
        jwk={"alg": "RS256", "use": "sig"},
        header={},
        access={
            "ver": 1,
            "jti": "AT.MNAoEQ_jbKqoinrQo1D0XKjMX28U5d7ZszBceot7-Ts",
            "aud": "api://default",
            "cid": "0oabucvyc38HLL1ef0h7",
            "uid": "00uixa271s6x7qt8I0h7",
            "scp": ["openid", "profile", "orders:read"],
            "auth_time": 1_700_000_000,
            "sub": "ada@example.com",
        },
        identity="00uixa271s6x7qt8I0h7",
        scope="orders:read",
        wrong={
            "an ID token": {"aud": "0oabucvyc38HLL1ef0h7", "uid": None, "jti": "ID.abc", "amr": ["pwd"]},
            "of the org server": {"iss": "https://DOMAIN.okta.com", "aud": "https://DOMAIN.okta.com"},
        },
    ),
    "Supabase": Provider(
        keys_path="/auth/v1/.well-known/jwks.json",
        jwk={"alg": "ES256", "use": "sig", "key_ops": ["verify"], "ext": True},
        metadata=False,
        key=EC,
        algorithm="ES256",
        access={
            "aud": "authenticated",
            "sub": UUID,
            "email": "ada@example.com",
            "phone": "",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {},
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": 1_700_000_000}],
            "session_id": UUID,
            "is_anonymous": False,
        },
        identity=UUID,
        wrong={
            "nobody's": {"aud": "anon", "role": "anon"},
            "of another project": {"iss": "https://OTHER.supabase.co/auth/v1"},
        },
    ),
}


def recipes() -> dict[str, dict[str, Claims]]:
    """Return the settings of each recipe of the page, by its heading."""
    _, _, rest = PAGE.read_text().partition("\n## Recipes\n")
    sections = re.split(r"^### (.+)$", rest, flags=re.MULTILINE)[1:]
    found = {}
    for heading, text in zip(sections[::2], sections[1::2], strict=True):
        (file,) = re.findall(r"```{literalinclude} (\S+)", text)
        found[heading] = run_path(str(PAGE.parent / file))["JWT_TRUSTED_ISSUERS"]
    return found


RECIPES = recipes()
named = pytest.mark.parametrize("name", PROVIDERS)


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with LyingServer() as running:
        yield running


def here(url: str, server: LyingServer) -> str:
    """Return the same URL on this machine."""
    return server.url(urlsplit(url).path)


def stand_in(name: str, server: LyingServer) -> tuple[str, Claims]:
    """Serve the documents of a provider. Return its issuer and its settings, with this machine as host."""
    provider = PROVIDERS[name]
    ((issuer, settings),) = RECIPES[name].items()
    jwk = {**without(to_jwk(provider.algorithm, provider.key.public_key()), "alg"), **provider.jwk}
    encrypting = without(to_jwk("RS256", RSA.public_key()), "alg") | {"kid": "enc", "use": "enc", "alg": "RSA-OAEP"}
    server.answers[provider.keys_path] = serves({"keys": [encrypting, jwk]}, Cache_Control="public, max-age=3600")
    if not provider.metadata:
        return issuer, settings | {"jwks_uri": here(settings["jwks_uri"], server)}
    discovery = issuer.rstrip("/") + WELL_KNOWN
    server.answers[urlsplit(discovery).path] = serves(
        {
            "issuer": issuer,
            "jwks_uri": server.url(provider.keys_path),
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [provider.algorithm],
        }
    )
    return issuer, settings | {"discovery": here(discovery, server)}


def token_of(name: str, **others: Any) -> str:
    provider = PROVIDERS[name]
    ((issuer, _),) = RECIPES[name].items()
    now = int(time.time())
    claims = {"iss": issuer, "iat": now - 5, "exp": now + 300} | provider.access | others
    kid = to_jwk(provider.algorithm, provider.key.public_key())["kid"]
    header = {"kid": kid, "typ": None} | provider.header
    said = {claim: value for claim, value in claims.items() if value is not None}
    return pyjwt.encode(said, provider.key, provider.algorithm, headers=header)


@pytest.fixture(params=["compat", "strict"])
def ask(request: pytest.FixtureRequest, make_app: MakeApp, server: LyingServer) -> Callable[..., tuple[int, Any]]:
    def ask_app(name: str, path_asked: str = "/access", **others: Any) -> tuple[int, Any]:
        issuer, settings = stand_in(name, server)
        app = make_app(PROFILE=request.param, SECRET_KEY=None, TRUSTED_ISSUERS={issuer: settings})
        provider = PROVIDERS[name]
        of_api = jwt_required(scopes=provider.scope, roles=provider.role)
        app.add_url_rule("/api", "api", of_api(lambda: {}))
        app.add_url_rule("/openid", "openid", jwt_required(scopes="openid")(lambda: {}))
        response = app.test_client().get(path_asked, headers=bearer(token_of(name, **others)))
        return response.status_code, response.get_json()

    return ask_app


def test_every_provider_has_a_recipe() -> None:
    """Every recipe is tested with a provider, too."""
    assert list(RECIPES) == list(PROVIDERS)


@named
def test_the_recipe_lets_its_tokens_in(name: str, ask: Callable[..., tuple[int, Any]], server: LyingServer) -> None:
    """With the identity that the page names, and with keys from the provider's URL."""
    status, told = ask(name)
    assert status == 200, told
    assert told["identity"] == PROVIDERS[name].identity
    assert server.asked[PROVIDERS[name].keys_path] == 1


@named
def test_the_recipe_keeps_out_what_is_for_others(name: str, ask: Callable[..., tuple[int, Any]]) -> None:
    """ID tokens and tokens of other applications and tenants, although the provider's key signed them."""
    for case, claims in PROVIDERS[name].wrong.items():
        assert ask(name, **claims)[0] in (401, 422), case


@named
def test_the_recipe_lets_its_tokens_grant_what_is_of_the_api(name: str, ask: Callable[..., tuple[int, Any]]) -> None:
    """Scopes and roles of the API, and no others, for example those of OpenID Connect."""
    assert ask(name, "/api")[0] == 200
    assert ask(name, "/openid")[0] == 403


@named
def test_the_recipe_works_by_the_default_discovery(name: str, make_app: MakeApp) -> None:
    """The settings of the page are valid; its keys would be fetched from the provider."""
    app = make_app(SECRET_KEY=None, TRUSTED_ISSUERS=RECIPES[name])
    assert app.config["JWT_TRUSTED_ISSUERS"] == RECIPES[name]
