"""From one secret to a key set: the keys sign, and tokens of the secret are accepted until they expire."""

from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, get_jwt_header, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config["JWT_KEYS"] = "keys.json"
app.config["JWT_DECODE_ALGORITHMS"] = ["HS256"]  # for JWT_SECRET_KEY, until its last token has expired
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY, as before
JWTManager(app)


@app.post("/login")
def login():  # check a password here first
    return {"access_token": create_access_token(request.json["username"])}


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity(), "algorithm": get_jwt_header()["alg"]}
