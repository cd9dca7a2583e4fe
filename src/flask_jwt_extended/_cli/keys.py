"""``flask jwt keys``: generate, rotate, retire, import and publish the keys of JWT_KEYS.

Works on the JWK Set file that JWT_KEYS names. The file is replaced as a whole and only its owner can read it; running
workers notice within seconds. Prints a private key only if you ask for it by its kid.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial, reduce
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from jwt.exceptions import InvalidKeyError

from .._jose import jwk_set as jwks
from .._jose import key_states
from .._jose.claims import expiry
from .._jose.key_states import Member
from .._keys.current import RELOAD_INTERVAL
from .._keys.files import from_pem, is_encrypted, load, locked, source_of, write_private
from .._request.jwks_endpoint import MAX_AGE
from .._state import ExtensionState
from ..exceptions import ConfigurationError
from .terminal import aligned, current_state, echo_json, json_option, printable

keys = AppGroup("keys", help="Generate, rotate, retire and publish the keys of JWT_KEYS.")


def _path(state: ExtensionState) -> Path:
    """Return the file that JWT_KEYS names.

    :raises ConfigurationError: if JWT_KEYS does not name a file
    """
    configured = state.settings.keys
    if not isinstance(configured, (str, os.PathLike)):
        raise ConfigurationError('These commands need JWT_KEYS to name a file, for example JWT_KEYS = "keys.json"')
    source_of(configured)
    return Path(configured)


def _change(state: ExtensionState, now: float, change: Callable[[list[Member]], list[Member]]) -> list[Member]:
    """Change the keys in the file, one process at a time, after checking that the result is valid.

    :raises ConfigurationError: if the file is not a JWK Set or cannot be written; it stays unchanged
    """
    path = _path(state)
    file = Path(os.path.realpath(path))  # a link is not replaced: its target is
    try:
        with locked(file):
            members = key_states.without_retired(change(_members(file)), now)
            jwks.read_set({"keys": members})
            write_private(file, json.dumps({"keys": members}, indent=2).encode() + b"\n")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be changed: {error.strerror}") from None
    except InvalidKeyError as error:
        raise ConfigurationError(f"The keys would not be usable: {error}") from None
    return members


def _members(path: Path) -> list[Member]:
    return _listed(load(path)) if path.exists() else []


def _listed(document: Any) -> list[Member]:
    jwks.read_set(document)
    return list(document["keys"] if isinstance(document, dict) else document)


@keys.command("generate")
@click.option("--algorithm", default="ES256", show_default=True, help="The algorithm that the key signs with.")
def generate_command(algorithm: str) -> None:
    """Generate a key.

    It is published now and signs after the next rotation. The first key of a set signs immediately.
    """
    state, now = current_state(), time.time()
    new = key_states.generate(algorithm, now)
    _change(state, now, lambda members: key_states.added(members, new))
    click.echo(new["kid"])


@keys.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the keys and their states."""
    listed = current_state().keys.at(time.time()).listed
    rows = [(each.kid, each.key.algorithm, each.state.value, _until(each), _material(each)) for each in listed]
    if as_json:
        names = ("kid", "alg", "state", "until", "material")
        echo_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    for line in aligned([("kid", "algorithm", "state", "verifies until", "material"), *rows]):
        click.echo(line)


def _until(key: jwks.JWK) -> str:
    return "-" if key.until == float("inf") else f"{datetime.fromtimestamp(key.until, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _material(key: jwks.JWK) -> str:
    if key.jwk["kty"] == "oct":
        return "secret"
    return "private" if "d" in key.jwk else "public"


@keys.command("rotate")
@click.option("--overlap", type=click.IntRange(min=0), help="Seconds for which the old key still verifies.")
@click.option("--now", "immediately", is_flag=True, help="Do not wait until verifiers have fetched the next key.")
def rotate_command(overlap: int | None, immediately: bool) -> None:
    """Make the next key sign.

    The current key retires: it verifies until its last token has expired.
    """
    state, now = current_state(), time.time()
    span = _longest_lifetime(state, now) if overlap is None else overlap
    rotated = partial(key_states.rotated, now=now, overlap=span, ahead=0 if immediately else MAX_AGE + RELOAD_INTERVAL)
    click.echo(f"{printable(jwks.kid_of(_change(state, now, rotated)[0]))} signs now")


def _longest_lifetime(state: ExtensionState, now: float) -> float:
    """Seconds until the last token of the current key has expired, which signs until every worker has noticed."""
    settings = state.settings
    lifetimes = [settings.access_token_expires, settings.refresh_token_expires]
    if any(each is False for each in lifetimes):
        raise ConfigurationError("Tokens never expire: set with --overlap how long the old key verifies")
    return max(expiry(now, each) for each in lifetimes) - now + settings.decode_leeway + RELOAD_INTERVAL


@keys.command("retire", context_settings={"ignore_unknown_options": True})  # a kid may begin with a hyphen
@click.argument("kid")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Seconds for which the key still verifies.")
def retire_command(kid: str, after: int) -> None:
    """Retire a key, for example one that has leaked.

    Every token that it signed is refused.
    """
    now = time.time()
    _change(current_state(), now, partial(key_states.retired, kid=kid, until=now + after))
    click.echo(f"{printable(kid)} has retired" if not after else f"{printable(kid)} retires in {after} seconds")


@keys.command("export")
@click.option("--private", metavar="KID", help="Print this private key instead.")
def export_command(private: str | None) -> None:
    """Print the public JWK Set."""
    state, now = current_state(), time.time()
    if private is None:
        click.echo(json.dumps(state.keys.published(now), indent=2))
        return
    found = [each for each in state.keys.at(now).listed if each.kid == private]
    if not found:
        raise ConfigurationError(f"There is no key {private}")
    click.echo(json.dumps(dict(found[0].jwk)))


@keys.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--state",
    "key_state",
    type=click.Choice([each.value for each in jwks.State]),
    default="next",
    show_default=True,
)
def import_command(file: Path, key_state: str) -> None:
    """Add the key of a PEM file, or the keys of a JWK or JWK Set.

    Prompts for the passphrase of an encrypted PEM file.
    """
    state, now = current_state(), time.time()
    news = [
        {"kid": jwks.thumbprint(member), **member, "state": key_state, "created": int(now)} for member in _keys_of(file)
    ]
    _change(state, now, lambda members: reduce(key_states.added, news, members))
    for new in news:
        click.echo(printable(jwks.kid_of(new)))


def _keys_of(file: Path) -> list[Member]:
    """Read the keys of a file.

    :raises ConfigurationError: if it does not contain a valid key
    """
    try:
        octets = file.read_bytes()
        if b"-----BEGIN" in octets:
            encrypted = is_encrypted(octets)
            return [from_pem(octets, click.prompt("Passphrase", hide_input=True, err=True) if encrypted else None)]
        document = load(file)
        return _listed([document] if isinstance(document, dict) and "keys" not in document else document)
    except InvalidKeyError as error:
        raise ConfigurationError(f"Nothing was imported from {file.name}: {error}") from None
