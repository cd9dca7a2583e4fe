"""Tests of app.py: a user with permission, one without, and every kind of invalid token."""

from flask_jwt_extended.testing.route_contract import RouteContract


def test_a_clerk_sees_orders(jwt_client):
    ada = jwt_client("ada", roles=["clerk"], scopes="orders:read")
    assert ada.get("/orders").json == {"orders": [], "for": "ada"}
    assert jwt_client("eve").get("/orders").status_code == 403


def test_without_a_token(app, override_identity):
    override_identity("ada", roles=["clerk"])
    assert app.test_client().get("/orders/7").json == {"order": 7}


class TestRoutes(RouteContract):
    url_values = {"order_id": 5}  # for the variable parts of rules; the others get sample values
