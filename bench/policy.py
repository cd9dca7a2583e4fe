"""What demands beside a good token cost, and what ``protect`` costs a view that is open.

All views are of one application in this process and take turns within milliseconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from flask import Flask
from timing import clock, wsgi
from timing.paired import Case, measured

from flask_jwt_extended import JWTManager, all_of, create_access_token, jwt_exempt, jwt_required

ROUNDS, QUICK_ROUNDS = 101, 9
#: Microseconds of an open view where the budget was set: other machines are scaled by theirs.
OPEN_VIEW = 38.0
DEMANDS: dict[str, dict[str, Any]] = {
    "a scope": {"scopes": "orders:read"},
    "every one of three scopes": {"scopes": all_of("orders:read", "orders:write", "stock")},
    "a role": {"roles": "clerk"},
    "max_age and acr": {"max_age": 10**9, "acr": "gold"},
}
CLAIMS = {
    "scope": "orders:read orders:write stock profile",
    "roles": ["clerk", "staff"],
    "acr": "gold",
    "auth_time": 1_700_000_000,
}


def application() -> Flask:
    """An application with an open view."""
    app = Flask("policy")
    app.config.update(JWT_PROFILE="strict", JWT_SECRET_KEY="5f2d9c1b7e3a4860" * 4)
    app.add_url_rule("/open", "open", jwt_exempt(lambda: ""))
    return app


def timer(app: Flask, path: str, headers: dict[str, str]) -> clock.Timer:
    """What times a view that has to answer well."""
    if wsgi.status(app, path, headers) != 200:
        raise RuntimeError(f"{path} is refused")
    return clock.Timer(wsgi.get(app, path, headers))


def cases() -> list[Case]:
    """Each demand beside a view that asks for a token alone; an open view under ``protect`` beside one without."""
    app, guarded = application(), application()
    JWTManager(app)
    JWTManager(guarded).protect(guarded)
    add(app, "plain", jwt_required())
    for number, demands in enumerate(DEMANDS.values()):
        add(app, str(number), jwt_required(**demands))
    with app.app_context():
        headers = wsgi.credentials("headers", create_access_token("user-1234", additional_claims=CLAIMS))
    plain = timer(app, "/plain", headers)
    found = [Case(name, [timer(app, f"/{number}", headers), plain]) for number, name in enumerate(DEMANDS)]
    found.append(Case("protect, for an open view", [timer(guarded, "/open", {}), timer(app, "/open", {})]))
    return found


def add(app: Flask, name: str, protect: Callable[[Callable[[], str]], Callable[[], str]]) -> None:
    """Add a view."""
    app.add_url_rule(f"/{name}", name, protect(lambda: ""))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"measure {QUICK_ROUNDS} rounds instead of {ROUNDS}")
    rounds = QUICK_ROUNDS if parser.parse_args().quick else ROUNDS
    measured_cases = cases()
    open_view = Case("", [measured_cases[-1].timers[1], clock.Timer(lambda: None)])
    measured([*measured_cases, open_view], rounds)
    print(f"\nbeyond a good token (us)      measured   as if an open view took {OPEN_VIEW:.0f}")
    for each in measured_cases:
        print(f"  {each.name:26} {each.cost:10.2f} {each.cost * OPEN_VIEW / open_view.cost:12.2f}")
