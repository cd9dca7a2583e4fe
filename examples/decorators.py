"""A decorator of your own, for rules that ``scopes=`` and ``roles=`` of ``jwt_required`` cannot express."""

from functools import wraps

from flask import Flask, abort, current_app, request

from flask_jwt_extended import JWTManager, create_access_token, get_jwt, jwt_required

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
JWTManager(app)


def paying_customers_only(view):
    @wraps(view)
    @jwt_required()  # so flask jwt routes lists the view as protected
    def guarded(*args, **kwargs):
        if get_jwt().get("plan") != "paid":
            abort(403)
        return current_app.ensure_sync(view)(*args, **kwargs)

    return guarded


@app.post("/login")
def login():  # check a password here first
    who = request.json["username"]
    return {"access_token": create_access_token(who, additional_claims={"plan": "paid" if who == "ada" else "free"})}


@app.get("/archive")
@paying_customers_only
def archive():
    return {"archive": []}
