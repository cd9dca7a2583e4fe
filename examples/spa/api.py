"""The API of a single-page application on another origin. site/ is the application.

make example NAME=spa/api, and in another terminal: python -m http.server 8001 --directory examples/spa/site
"""

from flask import Flask, jsonify, request

from flask_jwt_extended import (
    JWTManager,
    end_session,
    get_csrf_token,
    get_jwt_identity,
    jwt_required,
    refresh_session,
    set_session_cookies,
    start_session,
    unset_jwt_cookies,
)

app = Flask(__name__)
app.config.update(
    JWT_PROFILE="strict",
    JWT_TOKEN_LOCATION="cookies",
    JWT_STORE_URI="sqlite:///jwt.db",
    JWT_CSRF_IN_COOKIES=False,  # a page of another origin cannot read them: the body has the values
    # The front end: another origin on the same site, so the browser sends SameSite cookies.
    JWT_TRUSTED_ORIGINS=["http://localhost:8001"],
)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY; FLASK_JWT_TRUSTED_ORIGINS='["https://app.example.com"]'
JWTManager(app)


def with_cookies(pair):
    response = jsonify(access=get_csrf_token(pair.access_token), refresh=get_csrf_token(pair.refresh_token))
    set_session_cookies(response, pair)
    return response


@app.after_request
def cors(response):  # Flask-CORS does the same
    origin = request.headers.get("Origin")
    if origin in app.config["JWT_TRUSTED_ORIGINS"]:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type, X-CSRF-TOKEN"
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
    response.vary.add("Origin")
    return response


@app.post("/login")
def login():  # check a password here first
    return with_cookies(start_session(request.json["username"]))


@app.post("/refresh")
@jwt_required(refresh=True)
def refresh():
    return with_cookies(refresh_session())


@app.delete("/session")
@jwt_required(refresh=True)
def logout():
    end_session()
    response = jsonify(ended=True)
    unset_jwt_cookies(response)
    return response


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity()}


@app.post("/notes")
@jwt_required()
def note():
    return {"kept": request.json["note"]}, 201
