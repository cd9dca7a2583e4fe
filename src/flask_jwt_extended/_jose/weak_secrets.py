"""Secrets that an attacker tries first: the ones in everybody's documentation, and the ones with next to no entropy."""

from __future__ import annotations

import math
from collections import Counter

#: Bits of entropy below which a secret counts as guessable, each octet judged as if drawn on its own (Shannon).
ENOUGH_BITS = 40

#: What tutorials, the documentation of Flask, PyJWT and this package, and templates put where a secret belongs: letters
#: and digits alone, in lower case.
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
    """.split()  # noqa: SIM905
)
#: How known secrets begin whose authors were asked for longer ones, or that are written with escapes.
_PADDED = ("5y2lf4q8z", "your256bitsecret", "changeme", "changethis", "supersecretkey", "yoursecretkey")


class GuessableSecretWarning(UserWarning):
    """A secret that everybody knows, or that repeats itself, signs tokens."""


def is_known(secret: bytes) -> bool:
    """Tell whether a secret is one that everybody has read somewhere."""
    plain = "".join(character for character in secret.decode("latin-1").lower() if character.isalnum())
    return plain in _KNOWN or plain.startswith(_PADDED)


def is_monotonous(secret: bytes) -> bool:
    """Tell whether a secret holds next to no entropy, however long it is: the same few characters, or a repetition."""
    unit = secret[: (secret * 2).index(secret, 1)]
    total = len(unit)
    bits = -sum(count * math.log2(count / total) for count in Counter(unit).values())
    return bits < ENOUGH_BITS
