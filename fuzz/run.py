"""Coverage-guided fuzzing with atheris: ``make fuzz``, or ``make fuzz RUNS=1000000 SEED=7``.

Four targets take an equal share of the inputs, each in a process of its own: ``parse`` (the compact form), ``verify``
(three verifiers, of which none may take a forgery), ``claims`` (both profiles) and ``extract`` (a whole request, and
what it carries on to the verifier). libFuzzer mutates a few seeds and keeps what reaches new branches of this package;
the same seed and number of runs give the same inputs, but for a handful where libFuzzer looks at the clock.

A target fails on any exception that is neither one of PyJWT's ``InvalidTokenError`` family nor one of ours, and on
anything it accepts that the plain checks written out here do not: a signature that :mod:`hmac` does not make, a second
spelling of a token, an expired or ill-typed claim, two tokens in one request. The input that did it is left in
``fuzz/out`` and is run again with ``.venv-fuzz/bin/python fuzz/run.py --target NAME --input FILE``.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["flask_jwt_extended"]):
    from flask_jwt_extended._jose import claims as claims_
    from flask_jwt_extended._jose import compact
    from flask_jwt_extended._jose.keys import KeyRing, prepare
    from flask_jwt_extended._request.extract import find_token
    from flask_jwt_extended._settings.settings import Settings, resolve
    from flask_jwt_extended.exceptions import JWTExtendedException

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Request
from jwt.exceptions import InvalidTokenError

OUT = Path(__file__).parent / "out"
SECRET = "a secret for the fuzzer, long enough for every HMAC: 64 bytes or more"
NOW = 1_800_000_000
LOCATIONS = ("headers", "cookies", "query_string", "json")
CAP = 16384
REFUSALS = (InvalidTokenError, JWTExtendedException)

Target = Callable[[bytes], str]


class Finding(Exception):  # noqa: N818  # what is looked for
    """Something was accepted that must not be."""


def must(condition: bool, message: str) -> None:
    """Tell of a finding unless this holds."""
    if not condition:
        raise Finding(message)


# --- tokens, made and judged without the package ---------------------------------------------------------------------


def segment(octets: bytes) -> bytes:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def octets_of(part: bytes) -> bytes:
    """Undo it."""
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def signed(header: bytes, payload: bytes) -> bytes:
    """A token of these octets with a good HMAC."""
    signing_input = segment(header) + b"." + segment(payload)
    return signing_input + b"." + segment(hmac.digest(SECRET.encode(), signing_input, "sha256"))


CLAIMS: dict[str, Any] = {"sub": "ann", "type": "access", "jti": "1", "fresh": True, "csrf": "value"}
CLAIMS |= {"iat": NOW - 1, "nbf": NOW - 1, "exp": NOW + 60}
HEADER, PAYLOAD = b'{"alg":"HS256","typ":"JWT"}', json.dumps(CLAIMS).encode()
GENUINE = signed(HEADER, PAYLOAD)


def judge_form(token: bytes) -> tuple[bytes, bytes, bytes]:
    """Hold an accepted token against the one spelling that it may have, and return what it is made of."""
    parts = token.split(b".")
    must(len(parts) == 3, "not three parts")
    head, payload, signature = map(octets_of, parts)
    must(token == b".".join(map(segment, (head, payload, signature))), "a second spelling")
    must(len(token) <= CAP, "larger than the cap")
    return head, payload, signature


def judge_signature(token: bytes) -> None:
    """Hold an accepted token against an HMAC made here."""
    head, payload, _ = judge_form(token)
    must(token == signed(head, payload), "a forged signature")
    header = json.loads(head)
    must(header["alg"] == "HS256", "another algorithm")
    must(not {"crit", "b64"} & header.keys(), "an extension that is not implemented")


# --- targets ---------------------------------------------------------------------------------------------------------


def public_pem(key: Any) -> bytes:
    """A public key as PEM."""
    octets: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return octets


def verifier(material: Any, *algorithms: str) -> compact.Verifier:
    """A verifier with one key, which may serve the first algorithm alone."""
    return compact.Verifier(algorithms, KeyRing([prepare(algorithms[0], material)]), CAP)


#: Whose private halves nobody has, and which are the same each time.
RSA_PUBLIC = public_pem(rsa.RSAPublicNumbers(65537, int("c0ffee01" * 64, 16)).public_key())
EC_PUBLIC = public_pem(ec.derive_private_key(20_240_229, ec.SECP256R1()).public_key())
OURS = verifier(SECRET, "HS256")
#: These know a public key only, and the lists of algorithms mix as they should not. No input here can be genuine.
NEVER = (verifier(RSA_PUBLIC, "RS256", "HS256", "ES256"), verifier(EC_PUBLIC, "ES256", "HS256", "RS256", "ES384"))


def parse(data: bytes) -> str:
    """The compact form: bytes as they are, or text."""
    token = data if data[:1] != b"\0" else data[1:].decode("utf-8", "surrogateescape")
    header, _, _, _ = compact.parse(token, CAP)
    judge_form(token if isinstance(token, bytes) else token.encode())
    must(not {"crit", "b64"} & header.keys(), "an extension that is not implemented")
    return "parsed"


def verify(data: bytes) -> str:
    """A token as it comes, one that is signed here, or one that is signed by somebody who knows the public keys."""
    how, rest = data[:1], data[1:]
    head, _, payload = rest.partition(b"\n")
    token = rest
    if how in (b"s", b"p"):
        token = signed(head, payload)
    if how == b"p":
        signing_input = token.rpartition(b".")[0]
        for public in (RSA_PUBLIC, EC_PUBLIC):
            forged = signing_input + b"." + segment(hmac.digest(public, signing_input, "sha256"))
            refuse_all(forged, (OURS, *NEVER))
    refuse_all(token, NEVER)
    header, octets = OURS.verify(token.decode("latin-1") if how == b"t" else token)
    judge_signature(token)
    must(octets == octets_of(token.split(b".")[1]), "another payload")
    must(header == json.loads(octets_of(token.split(b".")[0])), "another header")
    compact.parse_object(octets, "payload")
    return "verified"


def refuse_all(token: bytes, verifiers: tuple[compact.Verifier, ...]) -> None:
    """No verifier may take this."""
    for each in verifiers:
        try:
            each.verify(token)
        except InvalidTokenError:
            continue
        must(condition=False, message="a forgery was accepted")


PROFILES = {
    profile: resolve({"JWT_PROFILE": profile, "JWT_SECRET_KEY": SECRET, "JWT_TOKEN_LOCATION": list(LOCATIONS)})
    for profile in ("compat", "strict")
}
EXPECTING = resolve({"JWT_SECRET_KEY": SECRET, "JWT_DECODE_AUDIENCE": ["us", "we"], "JWT_DECODE_ISSUER": "issuer"})
SETTINGS = (*PROFILES.values(), EXPECTING)
NAMES = ("exp", "nbf", "iat", "sub", "jti", "iss", "aud", "type", "fresh", "csrf")
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, NOW, NOW + 1, NOW - 1, 1e300, -1e300, math.inf, 10**400, 0.5),
    *("", "ann", "us", "issuer", "access", "refresh", "\ud800", str(NOW + 60), "\u0661"),
    *([], ["us"], ["x"], [1], [[]], {}, {"us": 1}),
)


def claims(data: bytes) -> str:
    """Claims as JSON, or good ones with a few put in, left out or replaced."""
    provider = atheris.FuzzedDataProvider(data)
    settings = SETTINGS[provider.ConsumeIntInRange(0, len(SETTINGS) - 1)]
    if provider.ConsumeBool():
        found = compact.parse_object(provider.ConsumeBytes(len(data)), "payload")
    else:
        found = changed(provider)
    before = dict(found)
    value = provider.PickValueInList([None, "value", "another"])
    claims_.validate(found, settings, NOW, csrf_value=value)
    judge_claims(before, settings, value)
    return "valid"


def changed(provider: Any) -> dict[str, Any]:
    """Good claims, changed."""
    made = dict(CLAIMS)
    for _ in range(provider.ConsumeIntInRange(0, 5)):
        name = provider.PickValueInList(list(NAMES))
        choice = provider.ConsumeIntInRange(0, len(VALUES) + 2)
        if choice < len(VALUES):
            made[name] = VALUES[choice]
        elif choice == len(VALUES):
            made.pop(name, None)
        elif choice == len(VALUES) + 1:
            made[name] = provider.ConsumeFloat()
        else:
            made[name] = provider.ConsumeUnicode(12)
    return made


def judge_claims(found: dict[str, Any], settings: Settings, csrf_value: str | None) -> None:
    """Hold accepted claims against RFC 7519, section 4.1."""
    for name in ("exp", "nbf", "iat"):
        value = found.get(name, 0)
        must(type(value) is int or (type(value) is float and math.isfinite(value)), f"{name} is no date")
        must(abs(value) <= sys.float_info.max, f"{name} cannot be added to a float")
    must(found.get("exp", NOW + 1) > NOW, "expired")
    must(found.get("nbf", 0) <= NOW and found.get("iat", 0) <= NOW, "not yet valid")
    must(type(found["sub"]) is str and type(found.get("jti", "")) is str, "a name that is no string")
    must(csrf_value is None or found["csrf"] == csrf_value, "another csrf value")
    if settings is EXPECTING:
        named = found["aud"] if isinstance(found["aud"], list) else [found["aud"]]
        must(found["iss"] == "issuer" and bool({"us", "we"} & set(named)), "for or by somebody else")
    if settings is PROFILES["strict"]:
        must(all(found.get(name) is not None for name in ("exp", "iat", "jti", "type", "sub")), "a claim is missing")
        must("aud" not in found, "for somebody else")


def extract(data: bytes) -> str:
    """A request of any octets, a token of ours put in where they say so, and what it carries on to the verifier."""
    provider = atheris.FuzzedDataProvider(data)
    profile = provider.PickValueInList(["compat", "strict"])
    settings = PROFILES[profile]
    kind = settings.refresh if provider.ConsumeBool() else settings.access
    body = text(provider, kind.cookie_name).encode("latin-1")
    environ = {
        "REQUEST_METHOD": provider.PickValueInList(["GET", "POST", "DELETE", "OPTIONS", "REPORT", "X"]),
        "CONTENT_TYPE": provider.PickValueInList(
            ["application/json", "multipart/form-data; boundary=x", "", "a/b+json"]
        ),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_AUTHORIZATION": text(provider, "Bearer"),
        "HTTP_COOKIE": text(provider, kind.cookie_name),
        "QUERY_STRING": text(provider, "jwt"),
        "HTTP_ORIGIN": text(provider, "http://localhost"),
        "HTTP_HOST": text(provider, "localhost"),
        "HTTP_X_CSRF_TOKEN": text(provider, "value"),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }
    encoded, location, csrf_value = find_token(Request(environ), LOCATIONS, kind, settings)
    must(location in LOCATIONS, "from nowhere")
    if location == "cookies" and environ["REQUEST_METHOD"] in ("POST", "DELETE"):
        must(bool(csrf_value), "a cookie without its double submit value")
    if profile == "strict":
        must(credentials(environ, kind.cookie_name) <= 1, "two tokens")
    OURS.verify(encoded)
    must(encoded == GENUINE.decode(), "a forgery was accepted")
    return f"found in {location}"


def credentials(environ: dict[str, Any], cookie: str) -> int:
    """Count the tokens that headers and cookies offer, in the plainest reading of both."""
    fields = [field.split() for field in environ["HTTP_AUTHORIZATION"].split(",")]
    pairs = [pair.partition("=") for pair in environ["HTTP_COOKIE"].split(";")]
    in_header = [field for field in fields if len(field) == 2 and field[0].lower() == "bearer"]
    in_cookies = [value for name, _, value in pairs if name.strip(" \t") == cookie and value.strip()]
    return len(in_header) + (len(in_cookies) if '"' not in environ["HTTP_COOKIE"] else 0)


def text(provider: Any, name: str) -> str:
    """A header of latin-1, in which T stands for a good token and N for a name that means something there."""
    raw: str = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 40)).decode("latin-1")
    return "".join({"T": GENUINE.decode(), "N": name}.get(character, character) for character in raw)


TARGETS: dict[str, Target] = {"parse": parse, "verify": verify, "claims": claims, "extract": extract}
SEEDS: dict[str, list[bytes]] = {
    "parse": [GENUINE, b"\0" + GENUINE, b"..", b"e30.e30.", signed(b'{"alg":"none"}', b"{}"), GENUINE + b"="],
    "verify": [
        *(b"r" + GENUINE, b"t" + GENUINE, b"s" + HEADER + b"\n" + PAYLOAD, b"p" + HEADER + b"\n" + PAYLOAD),
        *(b"s" + HEADER[:-1] + extra + b"}\n" + PAYLOAD for extra in (b',"kid":"1"', b',"crit":["x"]', b',"jwk":{}')),
        *(b"p" + b'{"alg":"%s"}\n' % name + PAYLOAD for name in (b"none", b"RS256", b"ES256", b"HS256")),
    ],
    "claims": [bytes(range(64)), b"\xff" * 64, PAYLOAD + b"\1\0", PAYLOAD + b"\1\1", PAYLOAD + b"\1\2", b"{}\1\0"],
    "extract": [b"Bearer T\x08" * 8, b"N=T; N=T\x08" * 8, b'{"access_token":"T"}\x14' * 4, bytes(range(256))],
}
#: What libFuzzer may put in where it pleases.
WORDS = [
    *("alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5u", "x5c", "HS256", "RS256", "none", "JWT", "dpop+jwt"),
    *("exp", "nbf", "iat", "sub", "jti", "iss", "aud", "type", "fresh", "csrf", "access", "refresh"),
    *("true", "null", "NaN", "Infinity", "1e999", "4102444800", "Bearer", "Basic", "jwt=", "access_token"),
]


# --- one target ------------------------------------------------------------------------------------------------------


def guarded(target: Target, outcomes: Counter[str]) -> Callable[[bytes], None]:
    """Let refusals pass and count what came of each input. Everything else is for libFuzzer to report."""

    def one_input(data: bytes) -> None:
        try:
            outcomes[target(data)] += 1
        except REFUSALS as error:
            outcomes[type(error).__name__] += 1

    return one_input


def fuzz(name: str, runs: int, seed: int) -> None:
    """Run one target. libFuzzer ends the process."""
    outcomes: Counter[str] = Counter()
    one_input = guarded(TARGETS[name], outcomes)
    began = time.monotonic()

    def counted(data: bytes) -> None:
        one_input(data)
        if outcomes.total() == runs:
            told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
            print(f"{name}: {runs} inputs in {time.monotonic() - began:.0f} s, no finding: {told}", flush=True)

    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        seeds = Path(corpus, "seeds")
        seeds.mkdir()
        for number, octets in enumerate(SEEDS[name]):
            (seeds / str(number)).write_bytes(octets)
        words = Path(corpus, "words")
        words.write_text("\n".join(json.dumps(word) for word in WORDS))
        options = [f"-runs={runs}", f"-seed={seed}", "-max_len=2048", f"-dict={words}", "-verbosity=0"]
        options += [f"-artifact_prefix={OUT}/{name}-", "-entropic=0"]  # that schedule looks at the clock
        atheris.Setup([sys.argv[0], *options, str(seeds)], counted)
        atheris.Fuzz()


def main() -> int:
    """Run every target, or one, or one input again."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=100_000, help="inputs in all (100,000)")
    arguments.add_argument("--seed", type=int, default=1, help="where the random numbers begin (1)")
    arguments.add_argument("--target", choices=TARGETS, help="run this one alone, in this process")
    arguments.add_argument("--input", type=Path, help="run the target once on this file")
    chosen = arguments.parse_args()
    if chosen.input:
        outcomes: Counter[str] = Counter()
        guarded(TARGETS[chosen.target], outcomes)(chosen.input.read_bytes())
        print(f"{chosen.target}: {next(iter(outcomes))}")
        return 0
    if chosen.target:
        fuzz(chosen.target, chosen.runs, chosen.seed)
        return 0
    share = chosen.runs // len(TARGETS)
    failed = [name for name in TARGETS if run_apart(name, share, chosen.seed)]
    print(f"{share * len(TARGETS)} inputs, failed: {', '.join(failed) or 'none'}")
    if OUT.exists() and not any(OUT.iterdir()):
        OUT.rmdir()
    return bool(failed)


def run_apart(name: str, runs: int, seed: int) -> int:
    """Run one target in a process of its own, and return its exit status. What libFuzzer says is told if it failed."""
    command = [sys.executable, __file__, "--target", name, "--runs", str(runs), "--seed", str(seed)]
    environ = os.environ | {"PYTHONHASHSEED": "0"}
    ended = subprocess.run(command, check=False, env=environ, stderr=subprocess.PIPE)  # noqa: S603  # this very file
    if ended.returncode:
        print(ended.stderr[-4000:].decode(errors="replace"))
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
