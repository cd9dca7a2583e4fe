"""Behind an AWS load balancer that logs users in. Its token is padded, so it is exchanged for one of ours."""

from functools import cache
from urllib.request import urlopen
from uuid import UUID

import jwt as pyjwt
from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config["LOAD_BALANCER"] = (
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop/0123456789abcdef"
)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY, FLASK_LOAD_BALANCER
JWTManager(app)


@cache
def public_key(kid):
    region = app.config["LOAD_BALANCER"].split(":")[3]
    with urlopen(f"https://public-keys.auth.{region}.elb.amazonaws.com/{UUID(kid)}", timeout=2) as response:
        return response.read()


def verified(token):
    header = pyjwt.get_unverified_header(token)
    if header.get("signer") != app.config["LOAD_BALANCER"]:  # other customers of AWS have load balancers too
        raise pyjwt.InvalidTokenError("Not from our load balancer")
    key = public_key(header["kid"])
    return pyjwt.decode(token, key, algorithms=["ES256"], options={"require": ["exp", "sub"]})


@app.post("/session")
def exchange():
    try:
        claims = verified(request.headers["X-Amzn-Oidc-Data"])
    except (pyjwt.InvalidTokenError, KeyError, ValueError, OSError):  # OSError: no such key
        return {"msg": "Log in at the load balancer"}, 401
    return {"access_token": create_access_token(claims["sub"])}


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity()}
