"""The metadata of the package."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import flask_jwt_extended

ROOT = Path(__file__).parent.parent
PROJECT = (ROOT / "pyproject.toml").read_text()


def oldest() -> dict[str, str]:
    """The versions in OLDEST of noxfile.py."""
    text = (ROOT / "noxfile.py").read_text().partition("OLDEST = {")[2].partition("}")[0]
    return dict(re.findall(r'"(\w+)": "([\d.]+)"', text))


@pytest.mark.parametrize(("name", "version"), oldest().items())
def test_the_oldest_dependencies_are_the_declared_ones(name: str, version: str) -> None:
    """The wheel is tested with these versions, so it requires them."""
    assert f'"{name}>={version}"' in PROJECT


def test_every_requirement_has_an_oldest() -> None:
    """Every requirement is tested in its oldest version."""
    runtime = PROJECT.partition("[dependency-groups]")[0].partition("dependencies = ")[2]
    asked = {re.split(r"[\[>]", each)[0] for each in re.findall(r'"([^"]+>=[^"]+)"', runtime)}
    assert asked == set(oldest())


def test_the_version_is_the_same_everywhere() -> None:
    """The metadata and the package have the same version."""
    assert f'version = "{flask_jwt_extended.__version__}"' in PROJECT
    assert importlib.util.find_spec("flask_jwt_extended") is not None
    assert (Path(flask_jwt_extended.__file__).parent / "py.typed").exists()
