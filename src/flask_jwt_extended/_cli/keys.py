"""``flask jwt keys``: make the keys of JWT_KEYS, let one follow another, publish them.

Works on the JWK Set file that JWT_KEYS names. It is written as a whole, readable by its owner alone; running workers
notice within seconds. Prints no private key unless it is asked for by name.
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
from .._jose import key_states as key_life
from .._jose.claims import expiry
from .._jose.key_states import Member
from .._keys.current import RELOAD_INTERVAL
from .._keys.files import from_pem, is_encrypted, load, locked, source_of, write_private
from .._request.jwks_endpoint import MAX_AGE
from .._state import ExtensionState
from ..exceptions import ConfigurationError
from .terminal import aligned, current_state, printable

keys = AppGroup("keys", help="Make the keys of JWT_KEYS, rotate them, publish them.")

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _path(state: ExtensionState) -> Path:
    """The file that JWT_KEYS names.

    :raises ConfigurationError: if it names none
    """
    configured = state.settings.keys
    if not isinstance(configured, (str, os.PathLike)):
        raise ConfigurationError('These commands need JWT_KEYS to name a file, for example JWT_KEYS = "keys.json"')
    source_of(configured)
    return Path(configured)


def _change(state: ExtensionState, now: float, change: Callable[[list[Member]], list[Member]]) -> list[Member]:
    """Change the keys of the file: one process at a time, and nothing that could not be read again.

    :raises ConfigurationError: if the file holds no keys, or cannot be written; it stays as it was
    """
    path = _path(state)
    file = Path(os.path.realpath(path))  # to replace a link would leave the file as it was
    try:
        with locked(file):
            members = key_life.without_retired(change(_members(file)), now)
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
@click.option("--algorithm", default="ES256", show_default=True, help="What it signs with.")
def generate_command(algorithm: str) -> None:
    """Make a key. It is published, and signs after the next rotation; the first of a set signs at once."""
    state, now = current_state(), time.time()
    new = key_life.generate(algorithm, now)
    _change(state, now, lambda members: key_life.added(members, new))
    click.echo(new["kid"])


@keys.command("list")
@_as_json
def list_command(as_json: bool) -> None:
    """List the keys and where they stand in their lives."""
    listed = current_state().keys.at(time.time()).listed
    rows = [(each.kid, each.key.algorithm, each.state.value, _until(each), _half(each)) for each in listed]
    if as_json:
        names = ("kid", "alg", "state", "until", "half")
        click.echo(printable(json.dumps([dict(zip(names, row, strict=True)) for row in rows])))
        return
    for line in aligned([("kid", "algorithm", "state", "verifies until", "half"), *rows]):
        click.echo(line)


def _until(key: jwks.JWK) -> str:
    return "-" if key.until == float("inf") else f"{datetime.fromtimestamp(key.until, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _half(key: jwks.JWK) -> str:
    if key.jwk["kty"] == "oct":
        return "secret"
    return "private" if "d" in key.jwk else "public"


@keys.command("rotate")
@click.option("--overlap", type=click.IntRange(min=0), help="Seconds for which the old key verifies.")
@click.option("--now", "at_once", is_flag=True, help="Do not wait until verifiers have seen the next key.")
def rotate_command(overlap: int | None, at_once: bool) -> None:
    """Let the next key sign. The one that signed retires: it verifies as long as its tokens live."""
    state, now = current_state(), time.time()
    span = _longest_life(state, now) if overlap is None else overlap
    rotated = partial(key_life.rotated, now=now, overlap=span, ahead=0 if at_once else MAX_AGE + RELOAD_INTERVAL)
    click.echo(f"{printable(jwks.kid_of(_change(state, now, rotated)[0]))} signs now")


def _longest_life(state: ExtensionState, now: float) -> float:
    """Seconds until the last token of a key has expired that signs until every worker has noticed."""
    settings = state.settings
    lives = [settings.access_token_expires, settings.refresh_token_expires]
    if any(life is False for life in lives):
        raise ConfigurationError("Tokens that never expire: say with --overlap how long the old key verifies")
    return max(expiry(now, life) for life in lives) - now + settings.decode_leeway + RELOAD_INTERVAL


@keys.command("retire")
@click.argument("kid")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Seconds for which it still verifies.")
def retire_command(kid: str, after: int) -> None:
    """Let a key verify no more: every token it has signed is refused. For a key that has leaked."""
    now = time.time()
    _change(current_state(), now, partial(key_life.retired, kid=kid, until=now + after))
    click.echo(f"{printable(kid)} has retired" if not after else f"{printable(kid)} retires in {after} seconds")


@keys.command("export")
@click.option("--private", metavar="KID", help="Print this private key.")
def export_command(private: str | None) -> None:
    """Print the JWK Set to publish."""
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
    """Add the key in a PEM file, or those in a JWK or JWK Set. Asks for the passphrase of an encrypted PEM file."""
    state, now = current_state(), time.time()
    news = [
        {"kid": jwks.thumbprint(member), **member, "state": key_state, "created": int(now)} for member in _read(file)
    ]
    _change(state, now, lambda members: reduce(key_life.added, news, members))
    for new in news:
        click.echo(printable(jwks.kid_of(new)))


def _read(file: Path) -> list[Member]:
    """Read the keys of a file.

    :raises ConfigurationError: if there is none in it
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
