"""Roles in a claim of another name, and your own answer to a refusal."""

from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, jwt_required
from flask_jwt_extended.exceptions import InsufficientScopeError

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
jwt = JWTManager(app)


@jwt.roles_loader
def roles(_header, claims):
    return claims.get("realm_access", {}).get("roles", [])


@app.errorhandler(InsufficientScopeError)
def refused(error):
    return {"sorry": f"{error.jwt_data['sub']} may not do that"}, 403


@app.post("/login")
def login():  # a token like Keycloak's
    claims = {"realm_access": {"roles": ["clerk"] if request.json["username"] == "ada" else []}}
    return {"access_token": create_access_token(request.json["username"], additional_claims=claims)}


@app.get("/orders")
@jwt_required(roles="clerk")
def orders():
    return {"orders": []}
