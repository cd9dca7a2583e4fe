"""This package beside the released 4.7.4: the same requests and calls, and every answer that is not the same.

``scenario.py`` runs once with this interpreter and once in a scratch environment that holds 4.7.4 beside the very
versions of Flask, Werkzeug and PyJWT that are installed here. Whatever differs must be listed below, with its reason;
what is listed must differ.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytestmark = pytest.mark.slow  # it installs 4.7.4

RELEASED = "4.7.4"
ROOT = Path(__file__).parents[2]
SCENARIO = Path(__file__).with_name("scenario.py")
#: What the two runs have in common.
SHARED = ("Flask", "Werkzeug", "PyJWT", "cryptography", "asgiref")

Outcomes = dict[str, Any]


class Row(NamedTuple):
    """Scenarios whose outcome is meant to differ, and how they end in this package."""

    #: Matches the whole name of a scenario.
    pattern: str
    #: ``refused``: a 4xx, or an error that applications catch; ``misuse``: an error for the developer; or ``passed``.
    end: str
    reason: str


def everywhere(tokens: str) -> str:
    """The scenarios that differ in the token alone: any view, any location, and the call that decodes it."""
    return rf"(token/({tokens})/[^/]+|hostile/[^/]+/({tokens})|call/decode_token/({tokens}))"


UNSAFE = "(POST|PUT|PATCH|DELETE)"
INTENDED = (
    # Wrong accepts of 4.7 (THREATS, section 2), and verification in the order of DESIGN, section 4.
    Row(everywhere("padded"), "refused", "wrong accept: an appended = spelt a second token of the same octets"),
    Row("call/get_unverified_jwt_headers/padded", "refused", "wrong accept: an appended ="),
    Row(everywhere("payload-utf16"), "refused", "wrong accept: UTF-16 JSON"),
    Row(everywhere("payload-nan"), "refused", "constants such as NaN are refused (DESIGN, section 4)"),
    Row(everywhere("fresh-infinity"), "refused", "wrong accept: fresh: Infinity"),
    Row(everywhere("(exp|nbf|iat)-text"), "refused", "wrong accept: exp, nbf, iat as a string"),
    Row(everywhere("exp-text-past"), "refused", "exp as a string is ill-typed, before it is in the past"),
    Row(everywhere("exp-arabic-digits"), "refused", "wrong accept: exp in Arabic digits"),
    Row(everywhere("(nbf|iat)-true"), "refused", "wrong accept: nbf, iat as a bool"),
    Row(everywhere("exp-true"), "refused", "exp as a bool is ill-typed, before it is in the past"),
    Row(everywhere("typ-(dpop|logout)"), "refused", "wrong accept: foreign typ"),
    Row(everywhere("typ-int"), "refused", "wrong accept: a typ that is no string is none of ours"),
    Row(
        "token/type-[^/]+/(access|fresh|optional)|hostile/[^/]+/type-[^/]+",
        "refused",
        'wrong accept: any type but "refresh" as access',
    ),
    Row(everywhere("empty-payload"), "refused", "the signature is checked before the payload is parsed: its message"),
    Row(everywhere("b64-false"), "refused", "b64 is refused as such in a JWT (THREATS, section 1)"),
    Row("call/get_unverified_jwt_headers/b64-false", "refused", "b64 is refused as such in a JWT"),
    Row(
        "option/aud[^/]*/iss-(list(-others|-empty|-int)?|int|null|object)",
        "refused",
        "an iss that is no string is ill-formed (RFC 7519, section 4.1.1), asked for or not",
    ),
    Row(
        "option/aud-none/aud-(int|null|list-int|object)",
        "refused",
        "an aud that is no string and no array of strings is ill-formed (RFC 7519, section 4.1.3), asked for or not",
    ),
    # 500s of 4.7 (THREATS, section 2).
    Row("header/(default|jwt|name)/commas/access", "refused", "500: Authorization: , ,"),
    Row("header/(default|jwt|name)/commas/optional", "passed", "500: Authorization: , ,"),
    Row("header/bare/commas/access", "refused", "a header of commas alone holds no token, with any JWT_HEADER_TYPE"),
    Row("header/bare/commas/optional", "passed", "a header of commas alone holds no token, with any JWT_HEADER_TYPE"),
    Row("json(-own)?/(list|int|text|deep)/(access|refresh)", "refused", "500: JSON body that is no object"),
    Row("json/(list|int|text|deep)/optional", "passed", "500: JSON body that is no object"),
    Row("json/surrogate-token/(access|optional)", "refused", "500: lone surrogate"),
    Row(f"csrf/(default|form|fields)/[^/]+/{UNSAFE}/non-ascii", "refused", "500: non-ASCII CSRF header"),
    Row("csrf/on-get/[^/]+/GET/non-ascii", "refused", "500: non-ASCII CSRF header"),
    Row(f"csrf/form/[^/]+/{UNSAFE}/form-non-ascii", "refused", "500: non-ASCII CSRF form value"),
    Row("csrf-claim/(null|int|non-ascii)/POST", "refused", "500: CSRF claim that is no ASCII string"),
    Row("token/fresh-(text|null|list)/(fresh|fresh-any)", "refused", "500: fresh of any odd type"),
    Row(r"algorithm/es256\+hs256/(good|public-as-secret)", "refused", "500: an algorithm that does not fit the key"),
    Row(r"algorithm/hs256\+es256/es256(-of-hs256)?", "refused", "500: an algorithm that does not fit the key"),
    Row("algorithm/tuple/(good|hs512)", "passed", "500: JWT_DECODE_ALGORITHMS as a tuple"),
    Row("algorithm/tuple/(?!(good|hs512)$).+", "refused", "500: JWT_DECODE_ALGORITHMS as a tuple"),
    Row("key/kid/(k3|me|not-me|other-secret)", "refused", "500: decode_key_loader raising LookupError"),
    Row("key/none/(?!word$).+", "refused", "500: decode_key_loader returning None"),
    Row("options/./(access|optional)/[^/]+", "passed", "500: an OPTIONS view that asks for the identity"),
    Row(
        "template/True/open", "passed", "500: current_user in the template of an open page (DESIGN, section 3: no 500)"
    ),
    Row("misuse/location-set-of-two", "refused", "500: no token, and JWT_TOKEN_LOCATION a set of two"),
    # Wrong rejects of 4.7 (THREATS, section 2).
    Row("header/(default|name)/(lower|upper)/[^/]+", "passed", "wrong reject: bearer, BEARER"),
    Row("beside/headers-cookies/(three-words|only-type|comma)/GET", "passed", "wrong reject: hides a good cookie"),
    Row("beside/headers-cookies/(three-words|only-type|comma)/POST", "refused", "the cookie counts, so does its CSRF"),
    Row("beside/query_string-cookies/[^/]+/GET", "passed", "wrong reject: hides a good cookie"),
    Row("beside/query_string-cookies/[^/]+/POST", "refused", "the cookie counts, and so does its CSRF value"),
    # Decisions of DESIGN and STYLE.
    Row("default/JWT_REFRESH_JSON_KEY", "passed", "several names tried in order (DESIGN, section 7, end)"),
    Row("json/refresh-under-access/refresh", "passed", "JWT_REFRESH_JSON_KEY has two names (DESIGN, section 7, end)"),
    Row(
        "json/(access|(int|list|true|object|surrogate)-token)/refresh",
        "refused",
        "JWT_REFRESH_JSON_KEY has two names, so what is under the second is judged (DESIGN, section 7, end)",
    ),
    Row("misuse/samesite-none-insecure", "misuse", "init_app refuses SameSite=None without Secure (DESIGN, section 3)"),
    Row("cookies/set-[^/]+/[^/]+/max-age-zero", "passed", "max_age=0 was a no-op (STYLE, habit 4)"),
    Row("issue/[^/]+/option-zero", "refused", "no time to live is not life for ever: a fail-open (DESIGN, section 3)"),
    Row("issue/[^/]+/seconds", "passed", "expires_delta takes seconds, as the option does: a TypeError in 4.7"),
    Row("issue/[^/]+/bad-delta", "misuse", "misuse ends in an error that names the fix: a bare TypeError in 4.7"),
)

#: Where a developer errs in the scenarios themselves, a 500 is the answer: an unknown location, asking who it is in an
#: open view, ``current_user`` without a user_lookup_loader.
DEVELOPERS_ERRORS = "[^/]+(/[^/]+)?/(at-attic|open)(/.+)?|no-lookup/.+|falsy/token_[^/]+/[^/]+/user"


@pytest.fixture(scope="session")
def released() -> Path:
    """An interpreter that imports the released package. Its environment is made once, and anew if a version changes."""
    folder = ROOT / f".venv-compat-{RELEASED}" / f"{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    requirements = [f"Flask-JWT-Extended=={RELEASED}", *(f"{name}=={version(name)}" for name in SHARED)]
    ready = folder / "ready"
    wanted = "\n".join([sys.base_prefix, *requirements])
    if not ready.exists() or ready.read_text() != wanted:
        venv.create(folder, clear=True, with_pip=True, symlinks=True)
        install: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *requirements,
        ]
        subprocess.run(install, check=True)
        ready.write_text(wanted)
    return python


@pytest.fixture(scope="session")
def runs(released: Path) -> tuple[Outcomes, Outcomes]:
    """The outcomes of all scenarios, of 4.7.4 and of this package."""
    # Isolated, so that a PYTHONPATH to this package does not get in front of the released one.
    commands = [released, "-I", SCENARIO], [sys.executable, SCENARIO]
    with ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(outcomes, commands)
    return theirs, ours


def outcomes(command: list[str | Path]) -> Outcomes:
    """Run the scenarios and return what came of each, by name."""
    done = subprocess.run(command, capture_output=True, text=True, encoding="ascii", errors="replace", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = dict(lines)
    assert len(found) == len(lines), "two scenarios share a name"
    return found


def differing(runs: tuple[Outcomes, Outcomes]) -> Iterator[str]:
    """The names of the scenarios that do not end as in 4.7.4."""
    theirs, ours = runs
    return (name for name in theirs if theirs[name] != ours.get(name) and name != "version")


def end_of(outcome: Any) -> str:
    """How a scenario ended: see :class:`Row`."""
    match outcome:
        case [int(status), *_] if status >= 500:
            return "misuse"
        case [int(status), *_] if status >= 400:
            return "refused"
        case ["raised", _]:
            return "misuse"
        case ["raised", _, _]:
            return "refused"
    return "passed"


def test_one_run_is_of_the_released_package_and_one_of_this(runs: tuple[Outcomes, Outcomes]) -> None:
    """Nothing compares a package with itself."""
    theirs, ours = runs
    assert theirs["version"] == RELEASED
    assert ours["version"].startswith("5.")


def test_both_ran_the_same_scenarios(runs: tuple[Outcomes, Outcomes]) -> None:
    """Only options and arguments may have been added, and of the requests there are thousands."""
    theirs, ours = runs
    added = {name for name in ours.keys() - theirs.keys() if not name.startswith(("default/", "signature/"))}
    assert theirs.keys() - ours.keys() == set()
    assert added == set()
    assert len(theirs) > 4000


def test_nothing_differs_but_what_is_listed(runs: tuple[Outcomes, Outcomes]) -> None:
    """Names, arguments, defaults, statuses, bodies, messages, cookies and the order of checks are those of 4.7.4."""
    theirs, ours = runs
    listed = re.compile("|".join(f"(?:{row.pattern})" for row in INTENDED))
    unlisted = [name for name in differing(runs) if not listed.fullmatch(name)]
    told = [f"{name}\n  {RELEASED}: {theirs[name]}\n  here:  {ours.get(name)}" for name in unlisted]
    assert not unlisted, "\n".join([f"{len(told)} differences that nobody listed", *told])


@pytest.mark.parametrize("row", INTENDED, ids=[row.pattern for row in INTENDED])
def test_what_is_listed_differs_and_ends_as_listed(row: Row, runs: tuple[Outcomes, Outcomes]) -> None:
    """Every scenario of a row differs from 4.7.4, and refuses, passes or tells the developer as the row says."""
    meant = {name for name in runs[0] if re.fullmatch(row.pattern, name)}
    assert meant, "no scenario of this name"
    assert meant - set(differing(runs)) == set(), row.reason
    assert {end_of(runs[1][name]) for name in meant} == {row.end}, row.reason


def test_no_scenario_ends_in_a_500_unless_the_developer_errs(runs: tuple[Outcomes, Outcomes]) -> None:
    """Whatever a client sends, it is not an unhandled error."""
    crashed = {name for name, outcome in runs[1].items() if isinstance(outcome, list) and outcome[:1] == [500]}
    assert {name for name in crashed if not re.fullmatch(DEVELOPERS_ERRORS, name)} == set()
