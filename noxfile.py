"""Beyond the environment of ``make test``: the package as it is built, with the oldest dependencies and the newest.

nox                     both, on every Python from 3.10 to 3.13 that is found
nox -s minimum-3.13     one of them
"""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
#: What pyproject.toml calls the oldest, to the letter; a test compares.
OLDEST = {
    "Flask": "2.3.3",
    "Werkzeug": "3.1.9",
    "PyJWT": "2.15.1",
    "cryptography": "3.4.0",
    "SQLAlchemy": "2.0",
    "redis": "5.0",
    "urllib3": "2.0",
}
#: The tests that need nothing but the package and its extras.
TESTS = ["tests/core", "tests/test_loaders.py", "tests/test_options.py", "tests/test_threats.py"]


@nox.session(python=PYTHONS)
def minimum(session: nox.Session) -> None:
    """The wheel, with the oldest of everything that it says it works with."""
    _try_wheel(session, *(f"{name}=={version}" for name, version in OLDEST.items()))


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """The wheel, with the newest of everything, as pip chooses it."""
    _try_wheel(session, *OLDEST)


def _try_wheel(session: nox.Session, *requirements: str) -> None:
    """Install the wheel that ``make dist`` has built, and run the tests against that, not against the checkout."""
    (wheel,) = Path("dist").glob("*.whl")
    tools = ("pytest>=8.2", "hypothesis", "python-dateutil")
    session.install(f"{wheel}[crypto,async,sql,redis,issuers]", *requirements, *tools)
    session.run("pip", "check")
    session.run("python", "-m", "pytest", "--quiet", *TESTS, *session.posargs)
