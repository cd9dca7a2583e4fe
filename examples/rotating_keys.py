"""Keys in a file that ``flask jwt keys`` rotates, and their public halves for services that verify the tokens.

flask --app rotating_keys jwt keys generate; flask --app rotating_keys run
"""

from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, get_jwt_header, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config["JWT_KEYS"] = "keys.json"
app.config["JWT_JWKS_PATH"] = "/.well-known/jwks.json"
app.config["JWT_ENCODE_ISSUER"] = "https://login.example.com"
app.config["JWT_DECODE_ISSUER"] = "https://login.example.com"
app.config.from_prefixed_env()  # FLASK_JWT_KEYS: another path
JWTManager(app)


@app.post("/login")
def login():  # check a password here first
    return {"access_token": create_access_token(request.json["username"])}


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity(), "signed by": get_jwt_header()["kid"]}
