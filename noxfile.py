"""Everything that is run on this project. The Makefile and CI call these sessions.

nox --list                          the sessions
nox                                 lint, types, docs and tests, each in an environment of its own
nox -s tests -- -k cookies          some tests: what follows -- goes to pytest
nox -s tests -P 3.12                the same on another Python
nox --no-venv --no-install -s lint  a session in the environment that nox runs in, as the Makefile does
"""

from __future__ import annotations

import os
import sys
from glob import glob
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "docs", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
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
TESTS = [
    *("tests/_jose/test_claims.py", "tests/_jose/test_compact.py", "tests/_jose/test_keys.py"),
    *("tests/_request/test_policy.py", "tests/_settings/test_options.py"),
    *("tests/test_loaders.py", "tests/hostile/test_threats.py"),
]


def _find_pythons() -> None:
    """Put the interpreters that pyenv has installed on the PATH, active or not, after the one that runs nox."""
    root = os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")
    found = [folder for version in PYTHONS for folder in glob(f"{root}/versions/{version}.*/bin")]
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), *found, os.environ.get("PATH", "")])


_find_pythons()


def install(session: nox.Session, *groups: str) -> None:
    """Install the package, editable, and dependency groups of pyproject.toml. (``--no-install`` leaves this out.)"""
    session.install("--editable", ".[crypto,sql]", *nox.project.dependency_groups(PROJECT, *groups))


def pytest(session: nox.Session, *arguments: str) -> None:
    """Run pytest on all cores, with what was given after ``--``."""
    caching = {"PYTHONDONTWRITEBYTECODE": None}  # tests start many processes, which should not compile all again
    session.run("python", "-m", "pytest", "--numprocesses=auto", *arguments, *session.posargs, env=caching)


# --- tests ------------------------------------------------------------------------------------------------------------


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests that need no server and no browser, and are not slow."""
    install(session, "test")
    pytest(session)


@nox.session
def integration(session: nox.Session) -> None:
    """Run the tests that ``tests`` leaves out."""
    install(session, "test", "server", "browser")
    workers = 2 * (os.cpu_count() or 1)  # these tests wait more than they compute
    pytest(session, f"--numprocesses={workers}", "-m", "server or browser or slow", "--dist=loadfile")


@nox.session(name="tests-all", python=PYTHONS)
def tests_all(session: nox.Session) -> None:
    """Run every test."""
    install(session, "test", "server", "browser")
    pytest(session, "-m", "", "--dist=loadfile")


@nox.session
def compat(session: nox.Session) -> None:
    """Run the test suite of Flask-JWT-Extended 4.7.4 against this package."""
    install(session, "test")
    session.run("scripts/compat", "python", external=True)


# --- checks -----------------------------------------------------------------------------------------------------------


@nox.session
def lint(session: nox.Session) -> None:
    """Check the format and the code with ruff."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("python", "-m", "ruff", "format", "--check", "--quiet", ".")
    session.run("python", "-m", "ruff", "check", "--quiet", ".")


@nox.session(default=False)
def format(session: nox.Session) -> None:  # noqa: A001  # the name of the command
    """Format the code, and fix what ruff can fix."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("python", "-m", "ruff", "format", ".")
    session.run("python", "-m", "ruff", "check", "--fix", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types with mypy and pyright."""
    install(session, "types")
    session.run("python", "-m", "mypy")
    python = sys.executable if session.venv_backend == "none" else str(Path(session.bin, "python"))
    session.run("python", "-m", "pyright", "--pythonpath", python)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, and check its links and that docs/options.md is up to date. A warning is an error."""
    install(session, "test", "docs")
    session.run("python", "scripts/write_options.py", "--check")
    output = "docs/_build/html"
    session.run("python", "-m", "sphinx", "--fail-on-warning", "--keep-going", "--fresh-env", "--quiet", "docs", output)
    session.run("python", "scripts/check_links.py", output)


@nox.session(default=False)
def screenshots(session: nox.Session) -> None:
    """Take the pictures for the documentation again."""
    install(session, "test", "browser")
    pictures = {"SCREENSHOTS": "docs/_static"}
    session.run("python", "-m", "pytest", "--quiet", "-m", "browser", "tests/browser", "-k", "pictures", env=pictures)


# --- distributions ----------------------------------------------------------------------------------------------------


@nox.session
def dist(session: nox.Session) -> None:
    """Build the wheel and the source distribution twice, compare, and test the wheel on every interpreter."""
    session.install(*nox.project.dependency_groups(PROJECT, "dist"))
    session.run("scripts/dist", "python", external=True)
    for version in PYTHONS:
        session.notify(f"minimum-{version}")
        session.notify(f"newest-{version}")


@nox.session(python=PYTHONS, reuse_venv=False)
def minimum(session: nox.Session) -> None:
    """Test the wheel with the oldest of everything that it says it works with."""
    _try_wheel(session, *(f"{name}=={version}" for name, version in OLDEST.items()))


@nox.session(python=PYTHONS, reuse_venv=False)
def newest(session: nox.Session) -> None:
    """Test the wheel with the newest of everything, as pip chooses it."""
    _try_wheel(session, *OLDEST)


def _try_wheel(session: nox.Session, *requirements: str) -> None:
    """Install the wheel that ``dist`` has built, and run the tests against that, not against the checkout."""
    (wheel,) = Path("dist").glob("*.whl")
    tools = ("pytest>=8.2", "hypothesis", "python-dateutil")
    session.install("--no-compile", f"{wheel}[crypto,async,sql,redis,issuers]", *requirements, *tools)
    session.run("python", "-m", "pip", "check")
    session.run("python", "-m", "pytest", "--quiet", *TESTS, *session.posargs)


# --- measurements -----------------------------------------------------------------------------------------------------


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure this package beside 4.7.4, PyJWT, joserfc and the bare primitives, and draw docs/bench.svg."""
    install(session, "test", "server")
    session.run("python", "bench/run.py", "--svg", "docs/bench.svg", *session.posargs)
    for script in ("oversized", "keys", "policy", "imports", "sessions"):
        session.run("python", f"bench/{script}.py")


@nox.session(default=False)
def storm(session: nox.Session) -> None:
    """Race and kill every session store, and print the table of docs/sessions.md."""
    install(session, "test", "server")
    session.run("python", "storm/run.py", *session.posargs)


@nox.session(default=False)
def drill(session: nox.Session) -> None:
    """Rotate and retire keys under load, with real workers."""
    install(session, "test", "server")
    session.run("python", "storm/rotation.py", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Fuzz, guided by coverage."""
    install(session, "fuzz")
    session.run("python", "fuzz/run.py", *session.posargs)
