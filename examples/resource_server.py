"""An API whose users log in elsewhere: it accepts the tokens of one OpenID Connect issuer, and makes none.

ISSUER=https://login.example.com/realms/shop AUDIENCE=orders-api flask --app resource_server run
"""

import os

from flask import Flask

from flask_jwt_extended import JWTManager, get_jwt, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config["JWT_PROFILE"] = "strict"
app.config["JWT_TRUSTED_ISSUERS"] = {
    os.environ["ISSUER"]: {"audience": os.environ["AUDIENCE"]},
}
JWTManager(app)


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity(), "logged in at": get_jwt()["iss"]}


@app.post("/orders")
@jwt_required(scopes="orders:write")
def order():
    return {"ordered by": get_jwt_identity()}, 201
