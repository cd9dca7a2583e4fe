"""Write docs/options.md, the reference of every option, from the declarations in _settings/options.py.

python scripts/write_options.py          write it
python scripts/write_options.py --check  fail if it is not up to date
"""

from __future__ import annotations

import ast
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from flask_jwt_extended._settings import options
from flask_jwt_extended._settings.options import NAMES, OPTIONS, Option

PAGE = Path(__file__).parent.parent / "docs" / "options.md"
HEAD = """\
# Options

Every option is a key of `app.config`. `init_app` adds the defaults of the options that you do not set. It raises a
`ConfigurationError` for a value that cannot work, and warns about a name that looks like a misspelled option; both
messages name the fix. Changes that you make later apply from the next request.

This page is written by `scripts/write_options.py`.
"""
#: The headings of the page, by the first option below each.
HEADINGS = {
    "JWT_PROFILE": "General",
    "JWT_ALGORITHM": "Keys and algorithms",
    "JWT_ACCESS_TOKEN_EXPIRES": "New tokens",
    "JWT_REQUIRED_CLAIMS": "Accepted tokens",
    "JWT_HEADER_NAME": "Headers",
    "JWT_COOKIE_SECURE": "Cookies",
    "JWT_COOKIE_CSRF_PROTECT": "Cross-site request forgery",
    "JWT_QUERY_STRING_NAME": "Query string",
    "JWT_JSON_KEY": "JSON body",
    "JWT_STORE_URI": "Sessions and revocation",
}


def docstrings() -> dict[str, str]:
    """Return the docstring below each option, by its name."""
    classes = [node for node in ast.parse(Path(options.__file__).read_text()).body if isinstance(node, ast.ClassDef)]
    body = next(node.body for node in classes if node.name == "Options")
    return {
        options.option_name(declared.target.id): " ".join(doc.value.value.split())
        for declared, doc in pairwise(body)
        if isinstance(declared, ast.AnnAssign) and isinstance(declared.target, ast.Name)
        if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant) and isinstance(doc.value.value, str)
    }


def page() -> str:
    """Return the whole page."""
    if unknown := HEADINGS.keys() - set(NAMES):
        sys.exit(f"HEADINGS has names that are not options: {unknown}")
    texts = docstrings()
    return HEAD + "".join(heading(option) + entry(option, texts[option.name]) for option in OPTIONS)


def heading(option: Option) -> str:
    """Return the heading above an option, if there is one."""
    return f"\n## {HEADINGS[option.name]}\n" if option.name in HEADINGS else ""


def entry(option: Option, doc: str) -> str:
    """Return the section of an option."""
    text = doc.replace("``", "`").replace(":func:`", "`")
    strict = option.default_for({"JWT_PROFILE": "strict"})
    profile = "" if strict == option.default else f"; under `strict`: `{default(strict)}`"
    return f"\n### {option.name}\n\n{text}\n\nDefault: `{default(option.default)}`{profile}\n"


def default(value: Any) -> str:
    """Return a default as you write it in Python."""
    return repr(value).removeprefix("datetime.")


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_text() == page() else f"{PAGE.name} is not up to date: run scripts/write_options.py")
    PAGE.write_text(page())
