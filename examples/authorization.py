"""Default-deny, scopes, roles, step-up authentication, and a single-use link.

flask --app authorization run; flask --app authorization jwt routes
"""

from datetime import timedelta

from flask import Flask, request

from flask_jwt_extended import (
    JWTManager,
    all_of,
    create_access_token,
    create_token,
    get_jwt_identity,
    has_scope,
    jwt_exempt,
    jwt_required,
)

app = Flask(__name__)
app.config.update(JWT_PROFILE="strict", JWT_STORE_URI="sqlite:///jwt.db")
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY: python -c 'import secrets; print(secrets.token_hex())'
jwt = JWTManager(app)
jwt.protect(app)


@app.post("/login")
@jwt_exempt
def login():  # check a password here first
    grants = {"scope": "orders:read orders:write", "roles": ["clerk"]}
    return {"access_token": create_access_token(request.json["username"], fresh=True, additional_claims=grants)}


@app.get("/me")
def me():  # protected by jwt.protect
    return {"me": get_jwt_identity(), "may write": has_scope("orders:write")}


@app.get("/orders")
@jwt_required(scopes=["orders:read", "orders:admin"])  # one of these scopes is enough
def orders():
    return {"orders": []}


@app.post("/orders")
@jwt_required(scopes=all_of("orders:read", "orders:write"), roles="clerk")  # both scopes, and the role
def order():
    return {"ordered": True}, 201


@app.post("/pay")
@jwt_required(max_age=timedelta(minutes=5))  # after that, the user has to log in again
def pay():
    return {"paid": True}


@app.post("/forgotten")
@jwt_exempt
def forgotten():  # send it by mail; here it is returned, so that you can try it
    return {"token": create_token("password_reset", request.json["username"], expires_delta=600, single_use=True)}


@app.post("/reset")
@jwt_required(token_type="password_reset")  # accepts no other token, and each token once
def reset():
    return {"new password for": get_jwt_identity()}


@app.get("/news")
@jwt_required(optional="if-valid")  # an expired token counts as no token
def news():
    return {"for": get_jwt_identity() or "everybody"}
