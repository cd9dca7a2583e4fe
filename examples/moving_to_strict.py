"""From compat to strict without an outage: tokens that strict would refuse are accepted and counted."""

from collections import Counter

from flask import Flask

from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required
from flask_jwt_extended.signals import legacy_subject, would_refuse

app = Flask(__name__)
app.config["JWT_PROFILE"] = "strict"
app.config["JWT_REPORT_ONLY"] = ["JWT_REQUIRED_CLAIMS", "JWT_VERIFY_AUD"]
app.config["JWT_LEGACY_SUB_UNTIL"] = "2027-01-31"  # tokens of 4.6 and before may have numbers in `sub`
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
JWTManager(app)

REPORTED = Counter()


@would_refuse.connect_via(app)
def count(_app, code, **_):
    REPORTED[code] += 1


@legacy_subject.connect_via(app)
def count_subject(_app, **_):
    REPORTED["legacy_subject"] += 1


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity()}


@app.get("/reported")
def reported():  # when the counts stay the same for a month, remove JWT_REPORT_ONLY
    return dict(REPORTED)
