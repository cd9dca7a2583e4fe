"""The texts of the findings, and their table in docs/cli.md."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from flask_jwt_extended._diagnostics.findings import TEXTS, finding
from flask_jwt_extended.stores.findings import Finding

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
TABLE = PAGE.split("| code | severity | problem |")[1].split("## ")[0]


def test_every_code_is_documented_with_its_severity() -> None:
    """In the same order; the usual severity comes first."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+)", TABLE, re.MULTILINE)
    assert rows == [(code, texts.severity) for code, texts in TEXTS.items()]


def test_the_texts_are_filled_in() -> None:
    """Each placeholder gets its value, which is not a template itself."""
    for code, texts in TEXTS.items():
        names = {name for text in texts[1:] for _, name, _, _ in Formatter().parse(text) if name}
        found = finding(code, None, **dict.fromkeys(names, "{x} and more"))
        assert (found.code, found.severity) == (code, texts.severity)
        assert ("{x}" in found.message + found.why + found.fix) is bool(names), code
        assert min(len(text.split()) for text in (found.message, found.why, found.fix)) >= 2, code


def test_a_finding_is_a_value() -> None:
    """It is compared by its content, and cannot be changed."""
    one = Finding("info", "code", "message", "why", "fix")
    assert one == Finding("info", "code", "message", "why", "fix")
    with pytest.raises(AttributeError):
        one.code = "other"  # type: ignore[misc]  # it is frozen
