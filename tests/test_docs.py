"""What the documentation says is what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest
from flask import Flask

import flask_jwt_extended
from flask_jwt_extended._settings.options import NAMES

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


def test_the_option_reference_is_up_to_date() -> None:
    """docs/options.md is generated from the declarations."""
    script = ROOT / "scripts" / "write_options.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_option_is_documented() -> None:
    """In whole sentences."""
    docs = run_path(str(ROOT / "scripts" / "write_options.py"))["docstrings"]()
    assert list(docs) == list(NAMES)
    assert [name for name, doc in docs.items() if not doc.endswith(".") or len(doc.split()) < 6] == []


def test_the_readme_shows_the_example_that_is_tested() -> None:
    """The ten lines of the README are those of examples/hello.py."""
    example = (EXAMPLES / "hello.py").read_text().split('"""\n', 1)[1]
    squeezed = [line for line in example.splitlines() if line]
    readme = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    assert [line for line in readme.splitlines() if line] == squeezed


def test_the_example_of_the_readme_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """It issues a token, accepts it, and refuses a request without one."""
    monkeypatch.setenv("FLASK_JWT_SECRET_KEY", "7d1f0c5be2a94836" * 3 + "9b")
    app: Flask = run_path(str(EXAMPLES / "hello.py"))["app"]
    client = app.test_client()
    token = client.post("/login", json={"username": "ada"}).get_json()["access_token"]
    assert client.get("/hello", headers={"Authorization": f"Bearer {token}"}).get_json() == {"hello": "ada"}
    assert client.get("/hello").status_code == 401


PAGES = sorted((ROOT / "docs").glob("*.md"))
named = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@named
def test_code_on_a_page_is_a_file_that_a_test_runs(page: Path) -> None:
    """Pages may contain commands and their output. Code comes from examples/."""
    fences = re.findall(r"^ *```(\S.*)$", page.read_text(), re.MULTILINE)
    shown = {fence.partition(" ")[2] for fence in fences if fence.startswith("{literalinclude}")}
    others = {fence for fence in fences if not fence.startswith(("{literalinclude}", "{toctree}", "{eval-rst}"))}
    diagrams = {"text"} if page.name == "architecture.md" else set()
    assert others <= {"console", "{include} ../CHANGES.md"} | diagrams
    assert all(path.startswith("../examples/") for path in shown)
    assert all(is_tested(path.removeprefix("../examples/")) for path in shown)


def is_tested(path: str) -> bool:
    """Whether a test of the examples names a file or its folder."""
    tests = "".join(test.read_text() for test in TESTS_OF_EXAMPLES)
    folder, _, file = path.partition("/")
    named = (f'"{path.removesuffix(".py")}"', f'"{folder}/', f'"{folder}"', f'"{folder}.md"')
    return any(name in tests for name in (named if file else (*named[:1], f'"{path}"')))


TESTS_OF_EXAMPLES = [
    *(ROOT / "tests" / "examples").glob("test_*.py"),
    *(ROOT / "tests" / "browser").glob("test_*.py"),
    ROOT / "tests" / "_keys" / "test_providers.py",
]


def test_every_public_name_is_in_the_reference() -> None:
    """Everything that can be imported is documented."""
    page = (ROOT / "docs" / "reference.md").read_text()
    missing = [name for name in flask_jwt_extended.__all__ if f"flask_jwt_extended.{name}\n" not in page]
    assert missing == ["ConfigurationError", "JWTConfigWarning"]  # among the exceptions
    assert "automodule:: flask_jwt_extended.exceptions" in page


def test_every_example_is_on_its_page() -> None:
    """docs/examples.md lists all of them."""
    page = (ROOT / "docs" / "examples.md").read_text()
    names = {path.name.removesuffix(".py") for path in EXAMPLES.iterdir() if not path.name.startswith("_")}
    assert [name for name in sorted(names) if f"`{name}" not in page] == []


@named
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Each relative link names an existing file."""
    targets = [piece.split(")", 1)[0].partition("#")[0] for piece in page.read_text().split("](")[1:]]
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not missing
