"""Write docs/options.md, the reference of every option, from the declarations in settings.py.

python scripts/write_options.py          write it
python scripts/write_options.py --check  fail if it is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from flask_jwt_extended._settings.settings import OPTIONS, Option

PAGE = Path(__file__).parent.parent / "docs" / "options.md"
HEAD = """\
# Options

Every option is a key of `app.config`. `init_app` leaves the defaults there and refuses values that cannot work with an
error that names the fix; a name that starts with `JWT_` and is not on this page gets a warning with the nearest one
that is. A change made later is noticed at the next request.

This page is written by `scripts/write_options.py`.
"""
#: Headings, and the word in an option's name that puts it below; the first that fits.
GROUPS = {
    "CSRF": "Cross-site request forgery",
    "COOKIE": "Cookies",
    "QUERY": "Query string",
    "JSON": "JSON body",
    "HEADER": "Headers",
    "": "General",
}


def page() -> str:
    """The whole page."""
    sections = []
    for word in reversed(GROUPS):
        entries = [entry(option) for option in OPTIONS if group_of(option) == word]
        sections.append("\n".join([f"\n## {GROUPS[word]}\n", *entries]))
    return HEAD + "\n".join(sections)


def group_of(option: Option) -> str:
    """The word that decides where an option stands."""
    return next(word for word in GROUPS if word in option.name)


def entry(option: Option) -> str:
    """What the page says of one option."""
    text = option.doc.replace("``", "`").replace(":func:`", "`")
    strict = option.default_for({"JWT_PROFILE": "strict"})
    profile = "" if strict == option.default else f"; under `strict`: `{default(strict)}`"
    return f"### {option.name}\n\n{text}\n\nDefault: `{default(option.default)}`{profile}\n"


def default(value: Any) -> str:
    """A default as it is written in code."""
    return repr(value).removeprefix("datetime.")


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_text() == page() else f"{PAGE.name} is not up to date: run scripts/write_options.py")
    PAGE.write_text(page())
