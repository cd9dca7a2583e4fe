"""Secrets that an attacker tries first: those of tutorials and documentation, and those with almost no entropy."""

from __future__ import annotations

import math
from collections import Counter

#: Bits of entropy below which a secret is guessable, with each octet drawn independently (Shannon).
MIN_ENTROPY = 40

#: The secrets of tutorials, templates and documentation: only their letters and digits, in lower case.
_KNOWN = frozenset(
    """
    secret secretkey supersecret supersecretkey mysecret mysecretkey jwtsecret jwtsecretkey jwtsecretstring key
    thisisasecret thisissecret thesecret verysecret topsecret asecret appsecret flasksecret s3cr3t sekret
    changeme changethis changemeplease pleasechangeme changethisinproduction changemeinproduction replaceme
    yoursecret yoursecretkey yoursecretkeyhere yourjwtsecret yourjwtsecretkey your256bitsecret your384bitsecret
    your512bitsecret a256bitsecret yoursupersecretkey supersecretjwtkey jwtkey jwt token password passw0rd
    dev development devkey devsecret debug test testing testsecret testkey default example insecure notsecret
    foobar foobarbaz foo bar baz hello helloworld letmein admin qwerty abc123 123456 1234567890
    yoursecretkeymustbelongenough asecretkeythatislongenoughforhs256
    192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf
    """.split()  # noqa: SIM905  # a list literal would be much longer
)
#: The beginnings of known secrets that people make longer, or that are written with escapes.
_BEGINNINGS = ("5y2lf4q8z", "your256bitsecret", "changeme", "changethis", "supersecretkey", "yoursecretkey")


class GuessableSecretWarning(UserWarning):
    """A well-known secret, or one that repeats itself, signs tokens.

    .. versionadded:: 5.0
    """


def is_well_known(secret: bytes) -> bool:
    """Return whether a secret is well known."""
    plain = "".join(character for character in secret.decode("latin-1").lower() if character.isalnum())
    return plain in _KNOWN or plain.startswith(_BEGINNINGS)


def has_low_entropy(secret: bytes) -> bool:
    """Return whether a secret has almost no entropy, whatever its length: few different characters, or a repetition."""
    unit = secret[: (secret * 2).index(secret, 1)]
    total = len(unit)
    bits = -sum(count * math.log2(count / total) for count in Counter(unit).values())
    return bits < MIN_ENTROPY
