"""Tokens in a header, a cookie, the query string or a JSON body."""

from flask import Flask, jsonify, request

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    get_jwt_identity,
    get_jwt_request_location,
    jwt_required,
    set_access_cookies,
)

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
# The first location that has a token counts.
app.config["JWT_TOKEN_LOCATION"] = ["headers", "cookies", "json"]
app.config["JWT_COOKIE_SECURE"] = True
JWTManager(app)


@app.post("/login")
def login():  # check a password here first
    token = create_access_token(request.json["username"])
    response = jsonify(access_token=token)
    set_access_cookies(response, token)
    return response


@app.route("/me", methods=["GET", "POST"])
@jwt_required()
def me():
    return {"me": get_jwt_identity(), "found in": get_jwt_request_location()}


@app.get("/report.csv")
@jwt_required(locations="query_string")  # for a link: /report.csv?jwt=... Use short-lived tokens
def report():
    return f"owner\n{get_jwt_identity()}\n", {"Content-Type": "text/csv"}
