"""The JWS compact form: the one strict parser, verification, and signing (RFC 7515, sections 3.1 and 5).

The order of the checks: size, alphabet and dots, header, algorithm, signature. The errors and messages are PyJWT's.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from hashlib import sha256
from typing import Any, NoReturn

from jwt.exceptions import DecodeError, InvalidAlgorithmError, InvalidSignatureError, InvalidTokenError

from .._settings.token_kinds import is_other_kind, kind_of
from ..typing import Header, JSONDefault
from .keys import Key, KeyRing

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")
# By length modulo 4: the omitted padding, and the last characters without unused bits, so that no two spellings have
# the same octets. A remainder of 1 is not base64.
_PADDING = (b"", b"", b"==", b"=")
_LAST = (_ALPHABET, b"", b"AQgw", b"AEIMQUYcgkosw048")

#: How many headers a verifier remembers. The tokens of a key have the same header.
REMEMBERED_HEADERS = 2048

#: A token taken apart: header, signing input, payload segment, signature segment.
Parts = tuple[Header, bytes, bytes, bytes]


class Verifier:
    """Verifies the form, header and signature of tokens with one ring of keys. A header is remembered only
    after its signature is verified, so that a client without a key cannot fill the memory.
    """

    __slots__ = ("_algorithms", "_max_bytes", "_ring", "_seen")

    def __init__(self, algorithms: Iterable[str], ring: KeyRing, max_bytes: int) -> None:
        self._algorithms = frozenset(algorithms)
        self._ring = ring
        self._max_bytes = max_bytes
        self._seen: dict[bytes, tuple[Header, Key]] = {}

    def verify(self, encoded: str | bytes) -> tuple[Header, bytes]:
        """Return the header and the payload octets of a token whose signature is good."""
        if (
            isinstance(encoded, str)
            and len(encoded) <= self._max_bytes
            and (octets := encoded.encode("utf-8", "replace")).translate(None, _ALPHABET) == b".."
        ):
            signing_input, _, signature = octets.rpartition(b".")
            head, _, payload = signing_input.partition(b".")
            seen = self._seen.get(head)
            if seen is not None:
                header, key = seen
                claims = decode_segment(payload, "payload")
                if key.verify(signing_input, decode_segment(signature, "crypto")):
                    return header.copy(), claims
        return self._verify_unseen(encoded)

    def _verify_unseen(self, encoded: str | bytes) -> tuple[Header, bytes]:
        parts = header, signing_input, _, _ = parse(encoded, self._max_bytes)
        algorithm = check_algorithm(header, self._algorithms)
        candidates = self._ring.candidates(algorithm, header.get("kid"))
        if not candidates and algorithm in self._ring.algorithms:  # its kid is not in the ring, or not any more
            raise InvalidSignatureError("Signature verification failed")
        key, payload = verify_with(candidates, parts)
        if len(self._seen) < REMEMBERED_HEADERS and all(type(value) is str for value in header.values()):
            self._seen[signing_input.partition(b".")[0]] = (header.copy(), key)
        return header, payload

    def __repr__(self) -> str:
        return f"<Verifier {self._ring!r}>"


class CachingVerifier(Verifier):
    """Remembers verified tokens, so that their signatures are not computed again (JWT_VERIFY_CACHE_SIZE).

    Times, revocation and policy are checked at every use. A change of keys makes a new verifier with an empty memory.
    """

    __slots__ = ("_size", "_verified")

    def __init__(self, algorithms: Iterable[str], ring: KeyRing, max_bytes: int, size: int) -> None:
        super().__init__(algorithms, ring, max_bytes)
        self._size = size
        self._verified: OrderedDict[bytes, tuple[Header, bytes]] = OrderedDict()

    def verify(self, encoded: str | bytes) -> tuple[Header, bytes]:
        """Return the header and the payload octets of a token whose signature is good."""
        if not isinstance(encoded, str) or len(encoded) > self._max_bytes:
            return super().verify(encoded)
        token = sha256(encoded.encode("utf-8", "surrogatepass")).digest()
        found = self._verified.get(token)
        if found is None:
            header, payload = super().verify(encoded)
            self._remember(token, header, payload)
            return header, payload
        with suppress(KeyError):  # another thread has removed it
            self._verified.move_to_end(token)
        header, payload = found
        return header.copy(), payload

    def _remember(self, token: bytes, header: Header, payload: bytes) -> None:
        if any(type(value) is not str for value in header.values()):
            return  # its copies would share mutable values
        self._verified[token] = header.copy(), payload
        if len(self._verified) > self._size:
            with suppress(KeyError):
                self._verified.popitem(last=False)


def check_algorithm(header: Header, algorithms: Container[str]) -> str:
    """Return the ``alg`` of a header if it is accepted, and check that ``typ`` is not that of another kind of JWT."""
    if "alg" not in header:
        raise InvalidAlgorithmError("Algorithm not specified")
    algorithm = header["alg"]
    if type(algorithm) is not str or algorithm not in algorithms:
        raise InvalidAlgorithmError("The specified alg value is not allowed")
    if "typ" in header:
        if type(header["typ"]) is not str:
            raise InvalidTokenError("Type header parameter must be a string")
        if is_other_kind(kind_of(header["typ"])):  # a DPoP proof, a logout token...
            raise InvalidTokenError(f"A token of type '{header['typ']}' is not accepted")
    return algorithm


def verify_with(keys: Iterable[Key], parts: Parts) -> tuple[Key, bytes]:
    """Return the key that made the signature, and the octets of the payload."""
    _, signing_input, payload, signature = parts
    octets = decode_segment(signature, "crypto")
    key = None
    for key in keys:
        if key.verify(signing_input, octets):
            return key, decode_segment(payload, "payload")
    if key is None:
        raise InvalidAlgorithmError("The specified alg value is not allowed")
    raise InvalidSignatureError("Signature verification failed")


def parse(encoded: str | bytes, max_bytes: int) -> Parts:
    """Split a token and parse its header. Nothing of it is verified yet."""
    signing_input, _, signature = check_form(encoded, max_bytes).rpartition(b".")
    head, _, payload = signing_input.partition(b".")
    header = parse_object(decode_segment(head, "header"), "header")
    for segment, name in ((payload, "payload"), (signature, "crypto")):
        if segment[-1:] not in _LAST[len(segment) & 3]:
            raise DecodeError(f"Invalid {name} padding")
    _check_header(header)
    return header, signing_input, payload, signature


def sign(header: bytes, payload: bytes, key: Key) -> str:
    """Sign a header and a payload, both as JSON, and return the token in compact form."""
    signing_input = encode_segment(header) + b"." + encode_segment(payload)
    return (signing_input + b"." + encode_segment(key.sign(signing_input))).decode("ascii")


def json_encoder(default: JSONDefault) -> json.JSONEncoder:
    """Make an encoder of the shortest form of JSON. It raises ValueError for a number that is not finite."""
    return json.JSONEncoder(separators=(",", ":"), default=default, allow_nan=False)


def encode_segment(octets: bytes) -> bytes:
    """Base64url without padding (RFC 7515, section 2)."""
    return b2a_base64(octets, newline=False).translate(_TO_URLSAFE).rstrip(b"=")


def decode_segment(segment: bytes, name: str) -> bytes:
    """Decode base64url. :func:`check_form` has checked the alphabet."""
    rest = len(segment) & 3
    if segment[-1:] not in _LAST[rest]:
        raise DecodeError(f"Invalid {name} padding")
    return a2b_base64(segment.translate(_TO_STANDARD) + _PADDING[rest])


def parse_object(octets: bytes, name: str) -> dict[str, Any]:
    """Parse a JSON object as strictly as RFC 7519, section 7.2 requires: UTF-8, no constants, no trailing data."""
    try:
        text = octets.decode("utf-8")
        value, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip(_WHITE_SPACE)))
        if rest := text[end:].lstrip(_WHITE_SPACE):
            raise json.JSONDecodeError("Extra data", text, len(text) - len(rest))
    except (ValueError, RecursionError) as error:
        # Not chained: a JSONDecodeError holds the whole document.
        raise DecodeError(f"Invalid {name} string: {error}") from None
    if type(value) is not dict:
        raise DecodeError(f"Invalid {name} string: must be a json object")
    return value


def check_form(encoded: str | bytes, max_bytes: int) -> bytes:
    """Check the size, the alphabet and the two dots of a token, and return it as octets."""
    if not isinstance(encoded, (str, bytes)):
        raise DecodeError(f"Invalid token type. Token must be a {bytes}")
    if len(encoded) > max_bytes:
        raise DecodeError(f"The token is longer than {max_bytes} bytes")
    octets = encoded.encode("utf-8", "replace") if isinstance(encoded, str) else encoded
    if octets.translate(None, _ALPHABET) != b"..":
        _refuse_form(octets)
    return octets


def _refuse_form(octets: bytes) -> NoReturn:
    """Raise PyJWT's error for the form of a token, in PyJWT's order."""
    if octets.count(b".") < 2:
        raise DecodeError("Not enough segments")
    signing_input, _, _ = octets.rpartition(b".")
    head, _, payload = signing_input.partition(b".")
    for segment, name in ((head, "header"), (payload, "payload")):
        if segment.translate(None, _ALPHABET):
            # AWS load balancers pad all segments. A single "=" gets no hint.
            hint = ": base64url in a JWT has no '=' (RFC 7515, section 2)" if _is_padded(segment) else ""
            raise DecodeError(f"Invalid {name} padding{hint}")
    raise DecodeError("Invalid crypto padding")


def _is_padded(segment: bytes) -> bool:
    return len(segment) % 4 == 0 and segment.endswith(b"=") and not segment.rstrip(b"=").translate(None, _ALPHABET)


def _check_header(header: Header) -> None:
    """Refuse extensions and malformed parameters. The parameters about keys are never used."""
    if "kid" in header and type(header["kid"]) is not str:
        raise InvalidTokenError("Key ID header parameter must be a string")
    if "crit" in header:  # RFC 7515, 4.1.11: we implement no extension
        crit = header["crit"]
        if type(crit) is not list or not crit:
            raise InvalidTokenError("Invalid 'crit' header: must be a non-empty list")
        if type(crit[0]) is not str:
            raise InvalidTokenError("Invalid 'crit' header: values must be strings")
        raise InvalidTokenError(f"Unsupported critical extension: {crit[0]}")
    if "b64" in header:  # RFC 7797, section 7
        raise InvalidTokenError("The 'b64' header parameter is not allowed in a JWT")
    for name, is_well_formed in _FORMS.items():
        if name in header and not is_well_formed(header[name]):
            raise InvalidTokenError(f"Malformed header parameter: {name}")


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_url(value: Any) -> bool:
    return _is_text(value) and value.startswith(("https://", "http://"))


#: The form of header parameters about keys and content (RFC 7515, sections 4.1.2 to 4.1.10). None of them is used.
_FORMS: dict[str, Callable[[Any], bool]] = {
    "cty": _is_text,
    "jku": _is_url,
    "jwk": lambda value: type(value) is dict,
    "x5c": lambda value: type(value) is list and all(map(_is_text, value)),
    "x5t": _is_text,
    "x5t#S256": _is_text,
    "x5u": _is_url,
}


def check_access_typ(header: Header, is_access: bool) -> None:
    """Check the ``typ`` of a token of this application, with JWT_ACCESS_TOKEN_TYP = "at+jwt" (RFC 9068, section 4)."""
    kind = kind_of(header.get("typ"))
    if is_access and kind != "at+jwt":
        raise InvalidTokenError("An access token must have the typ 'at+jwt'")
    if not is_access and kind == "at+jwt":
        raise InvalidTokenError("Only an access token may have the typ 'at+jwt'")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_WHITE_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
