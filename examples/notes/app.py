"""Server-rendered pages and forms without a script. The session stays active while the user is."""

from flask import Flask, redirect, render_template, request, url_for

from flask_jwt_extended import (
    JWTManager,
    current_user,
    end_session,
    jwt_exempt,
    jwt_required,
    refresh_expiring_cookies,
    set_session_cookies,
    start_session,
    unset_jwt_cookies,
)

app = Flask(__name__)
app.config.update(
    JWT_PROFILE="strict",
    JWT_TOKEN_LOCATION="cookies",
    JWT_STORE_URI="sqlite:///jwt.db",
    JWT_CSRF_CHECK_FORM=True,  # forms repeat the CSRF value in a hidden field
    JWT_CSRF_IN_COOKIES=False,  # no script needs to read it
)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
jwt = JWTManager(app, add_context_processor=True)  # `current_user` in every template
jwt.protect(app)
# A browser does not refresh by itself: responses extend a cookie that expires soon.
app.after_request(refresh_expiring_cookies)

NOTES = {}


@jwt.user_lookup_loader
def user_of(_header, claims):
    return {"name": claims["sub"], "csrf": claims["csrf"]}


@jwt.unauthorized_loader
@jwt.invalid_token_loader
def to_login(_reason):
    return redirect(url_for("login", next=request.path))


@jwt.expired_token_loader
@jwt.revoked_token_loader
def again(_header, _claims):
    return to_login("")


@app.route("/login", methods=["GET", "POST"])
@jwt_exempt
def login():
    if request.method == "GET":
        return render_template("login.html")
    # Check a password here first.
    response = redirect(url_for("index"))
    set_session_cookies(response, start_session(request.form["username"]))
    return response


@app.post("/logout")
def logout():
    end_session()
    response = redirect(url_for("login"))
    unset_jwt_cookies(response)
    return response


@app.get("/")
def index():
    return render_template("index.html", notes=NOTES.get(current_user["name"], []))


@app.post("/notes")
def add():
    NOTES.setdefault(current_user["name"], []).append(request.form["note"])
    return redirect(url_for("index"))


@app.get("/about")
@jwt_required(optional="if-valid")
def about():
    return render_template("about.html")
