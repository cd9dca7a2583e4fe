"""What the documentation says is what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest
from flask import Flask

from flask_jwt_extended.settings import OPTIONS, Option

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


def test_the_option_reference_is_up_to_date() -> None:
    """docs/options.md is what the declarations say."""
    script = ROOT / "scripts" / "write_options.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_is_documented(option: Option) -> None:
    """An option says what it does in whole sentences."""
    assert option.doc.endswith(".")
    assert len(option.doc.split()) >= 6


def test_the_readme_shows_the_example_that_is_tested() -> None:
    """The ten lines of the README are those of examples/hello.py."""
    example = (EXAMPLES / "hello.py").read_text().split('"""\n', 1)[1]
    squeezed = [line for line in example.splitlines() if line]
    readme = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    assert [line for line in readme.splitlines() if line] == squeezed


def test_the_example_of_the_readme_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log in, say hello with the token, be refused without."""
    monkeypatch.setenv("FLASK_JWT_SECRET_KEY", "7d1f0c5be2a94836" * 3 + "9b")
    app: Flask = run_path(str(EXAMPLES / "hello.py"))["app"]
    client = app.test_client()
    token = client.post("/login", json={"username": "ada"}).get_json()["access_token"]
    assert client.get("/hello", headers={"Authorization": f"Bearer {token}"}).get_json() == {"hello": "ada"}
    assert client.get("/hello").status_code == 401


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Each relative link of a page names a file."""
    targets = [piece.split(")", 1)[0].partition("#")[0] for piece in page.read_text().split("](")[1:]]
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not missing
