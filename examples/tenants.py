"""Each tenant has its own keys: a token of one tenant is not valid for another.

TENANTS=folder flask --app tenants run, where the folder holds red.json, blue.json...: made by flask jwt keys generate
"""

import json
import os
from pathlib import Path

from flask import Flask, request

from flask_jwt_extended import JWTManager, KeyRing, create_access_token, get_jwt, jwt_required

app = Flask(__name__)
app.config["JWT_ALGORITHM"] = "ES256"
app.config["JWT_DECODE_ALGORITHMS"] = ["ES256"]  # of all tenants
jwt = JWTManager(app)

# Made once: a ring signs with its first active key, and verifies with all.
FILES = Path(os.environ["TENANTS"]).glob("*.json")
RINGS = {path.stem: KeyRing.from_jwks(json.loads(path.read_text())) for path in FILES}


@jwt.encode_key_loader
def signing_keys(identity):
    return RINGS[identity.partition("@")[2]]


@jwt.decode_key_loader
def verifying_keys(_header, claims):  # the claims are not verified yet
    return RINGS[claims["tenant"]]  # an unknown tenant: LookupError, and the token is refused


@jwt.additional_claims_loader
def tenant_of(identity):
    return {"tenant": identity.partition("@")[2]}


@app.post("/login")
def login():  # check a password here first
    return {"access_token": create_access_token(request.json["username"])}


@app.get("/me")
@jwt_required()
def me():
    claims = get_jwt()
    return {"me": claims["sub"], "tenant": claims["tenant"]}
