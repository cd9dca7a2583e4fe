"""An API that accepts the tokens of one OpenID Connect issuer, and issues none.

ISSUER=https://login.example.com/realms/shop AUDIENCE=orders-api flask --app resource_server run
"""

import os

from flask import Flask

from flask_jwt_extended import JWTManager, current_user, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config["JWT_PROFILE"] = "strict"
app.config["JWT_TRUSTED_ISSUERS"] = {
    os.environ["ISSUER"]: {"audience": os.environ["AUDIENCE"], "scopes": ["orders:write"]},
}
jwt = JWTManager(app)


@jwt.user_lookup_loader
def user_of(_header, claims):  # two issuers may use the same sub for different people
    return claims["iss"], claims["sub"]


@app.get("/me")
@jwt_required()
def me():
    issuer, subject = current_user
    return {"me": subject, "logged in at": issuer}


@app.post("/orders")
@jwt_required(scopes="orders:write")
def order():
    return {"ordered by": get_jwt_identity()}, 201
