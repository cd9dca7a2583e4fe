"""``flask jwt keys`` as it is typed: what becomes of the file, what is printed, and what never is."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from flask_jwt_extended._jose.jwk_set import PRIVATE_MEMBERS, thumbprint, to_jwk
from flask_jwt_extended._jose.key_states import generate
from flask_jwt_extended._keys.current import RELOAD_INTERVAL
from flask_jwt_extended._request.jwks_endpoint import MAX_AGE

from .._keys.helpers import JWKS, public, without, write_set
from .._keys.test_current import made_by, status, write_pem
from .._sessions.helpers import stopped_clock
from ..conftest import PRIVATE_KEYS, MakeApp, bearer
from ..tokens import access_token
from .helpers import HEAD, run, run_flask, write

EC, RSA, OKP = JWKS["ES256"], JWKS["RS256"], JWKS["EdDSA"]
SHOP = (
    f"{HEAD}\napp = Flask(__name__)\napp.config.update(JWT_KEYS='keys.json', JWT_PROFILE='strict')\nJWTManager(app)\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def shop(make_app: MakeApp, path: Path) -> Flask:
    """An application whose key file does not exist yet."""
    return make_app(KEYS=path, SECRET_KEY=None)


def keys(app: Flask, *arguments: str) -> Result:
    """Run a command that must succeed and print nothing private."""
    result = run(app, "keys", *arguments)
    assert result.exit_code == 0, result.stderr
    assert not private_text(Path(app.config["JWT_KEYS"])) & set(words(result.output))
    return result


def refusal(app: Flask, *arguments: str) -> str:
    """The single error line of a command. The key file is unchanged."""
    path = Path(app.config["JWT_KEYS"] or "nowhere")
    before = path.read_bytes() if path.is_file() else None
    result = run(app, "keys", *arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert (path.read_bytes() if path.is_file() else None) == before
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")


def words(text: str) -> list[str]:
    return [each.strip('",') for each in text.split()]


def members(path: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(path.read_text())["keys"]
    return listed


def private_text(path: Path) -> set[str]:
    """The private values in a file, which must not be printed."""
    if not path.is_file():
        return set()
    return {jwk[member] for jwk in members(path) for member in PRIVATE_MEMBERS & set(jwk)}


def lives(path: Path) -> list[tuple[str, str]]:
    return [(jwk["alg"], jwk["state"]) for jwk in members(path)]


# --- generate -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["HS512", "RS256", "PS384", "ES256", "ES512", "EdDSA"])
def test_the_first_key_signs_immediately_and_its_kid_is_printed(shop: Flask, path: Path, algorithm: str) -> None:
    """An application without keys works after one command."""
    kid = keys(shop, "generate", "--algorithm", algorithm).stdout.strip()
    assert [(jwk["kid"], jwk["alg"], jwk["state"]) for jwk in members(path)] == [(kid, algorithm, "active")]
    assert status(shop, access_token(shop)) == 200


def test_the_second_key_waits(shop: Flask, path: Path) -> None:
    """The default algorithm is ES256."""
    keys(shop, "generate")
    keys(shop, "generate", "--algorithm", "EdDSA")
    assert lives(path) == [("ES256", "active"), ("EdDSA", "next")]


def test_only_its_owner_may_read_the_file(shop: Flask, path: Path) -> None:
    """Whatever the umask and the previous mode are."""
    before = os.umask(0)
    try:
        keys(shop, "generate")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        keys(shop, "generate")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(each.name for each in path.parent.iterdir()) == [".keys.json.lock", "keys.json"]


def test_a_file_is_replaced_as_a_whole(shop: Flask, path: Path) -> None:
    """Each change replaces the file; readers of the old one see all of it."""
    keys(shop, "generate")
    before = path.stat().st_ino, path.read_bytes()
    held = path.open("rb")
    with held:
        keys(shop, "generate")
        assert held.read() == before[1]
    assert path.stat().st_ino != before[0]


def test_a_file_that_cannot_be_written_is_unchanged(shop: Flask, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For example, the disk is full when the new file is flushed. No temporary file is left."""
    keys(shop, "generate")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert refusal(shop, "generate") == f"{path} cannot be changed: No space left on device"
    assert sorted(each.name for each in path.parent.iterdir()) == [".keys.json.lock", "keys.json"]


def test_a_missing_folder_is_an_error(make_app: MakeApp, tmp_path: Path) -> None:
    """A typo in the path."""
    app = make_app(KEYS=tmp_path / "kyes" / "keys.json")
    assert "No such file or directory" in refusal(app, "generate")


def test_an_unknown_algorithm_is_an_error(shop: Flask) -> None:
    """The error repeats the unknown algorithm."""
    assert refusal(shop, "generate", "--algorithm", "ES265") == "There is no algorithm 'ES265' to make a key for"


def test_a_secret_is_not_added_to_key_pairs(shop: Flask) -> None:
    """Such a set would be invalid, so it is not written."""
    keys(shop, "generate")
    assert "must not mix secrets with public keys" in refusal(shop, "generate", "--algorithm", "HS256")


@pytest.mark.parametrize("processes", [4])
def test_concurrent_commands_lose_no_key(tmp_path: Path, processes: int) -> None:
    """Two operators at the same time, or a cron job."""
    shop = write(tmp_path, SHOP)
    with ThreadPoolExecutor(processes) as pool:
        done = list(pool.map(lambda _: run_flask(tmp_path, "--app", shop, "jwt", "keys", "generate"), range(processes)))
    assert [each.returncode for each in done] == [0] * processes, done[0].stderr
    assert {each.stdout.strip() for each in done} == {jwk["kid"] for jwk in members(tmp_path / "keys.json")}
    assert sorted(state for _, state in lives(tmp_path / "keys.json")) == ["active"] + ["next"] * (processes - 1)


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_command_that_is_killed_leaves_a_whole_file(tmp_path: Path, step: str) -> None:
    """It is killed before the new file is complete, or before it replaces the old one. The lock is released."""
    path = tmp_path / "keys.json"
    write_set(path, EC | {"state": "active"})
    shop = write(tmp_path, f"{SHOP}import pathlib, signal\n{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n")
    done = run_flask(tmp_path, "--app", shop, "jwt", "keys", "generate")
    assert done.returncode == -signal.SIGKILL
    assert [jwk["kid"] for jwk in members(path)] == [EC["kid"]]
    assert not is_locked(path)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a file of keys."""
    with path.with_name(f".{path.name}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


# --- list -----------------------------------------------------------------------------------------------------------


def test_the_keys_are_listed(shop: Flask, path: Path) -> None:
    """Their kids and states, but no key material."""
    write_set(path, EC, public(RSA) | {"state": "retiring", "until": 4_102_444_800}, OKP | {"state": "next"})
    assert keys(shop, "list").stdout.splitlines() == [
        "kid                                          algorithm  state     verifies until        material",
        f"{EC['kid']}  ES256      active    -                     private",
        f"{RSA['kid']}  RS256      retiring  2100-01-01T00:00:00Z  public",
        f"{OKP['kid']}  EdDSA      next      -                     private",
    ]
    first, second, third = json.loads(keys(shop, "list", "--json").stdout)
    assert first == {"kid": EC["kid"], "alg": "ES256", "state": "active", "until": "-", "material": "private"}
    assert (second["until"], third["state"]) == ("2100-01-01T00:00:00Z", "next")


def test_a_kid_cannot_manipulate_the_terminal(shop: Flask, path: Path) -> None:
    """Escape sequences in a kid are printed as text."""
    write_set(path, EC | {"kid": "\x1b[31mred\r\u202e"})
    assert "\\x1b[31mred\\r\\u202e" in keys(shop, "list").stdout
    assert "\x1b" not in keys(shop, "list", "--json").stdout


def test_a_set_in_the_configuration_is_listed_too(make_app: MakeApp) -> None:
    """It can be listed, but not changed."""
    app = make_app(KEYS=[EC])
    assert EC["kid"] in run(app, "keys", "list").stdout
    result = run(app, "keys", "generate")
    assert (result.exit_code, result.stderr) == (
        1,
        'Error: These commands need JWT_KEYS to name a file, for example JWT_KEYS = "keys.json"\n',
    )


def test_without_keys_each_command_says_what_to_set(make_app: MakeApp, path: Path) -> None:
    """An application with a secret has no JWK Set."""
    for command in (["generate"], ["rotate"], ["retire", "x"]):
        result = run(make_app(), "keys", *command)
        assert result.exit_code == 1
        assert "JWT_KEYS" in result.stderr
    assert not path.exists()


# --- rotate ---------------------------------------------------------------------------------------------------------


def waiting(path: Path, seconds: float) -> None:
    """Write an active key, and a next key that was published so many seconds ago."""
    write_set(path, EC, RSA | {"state": "next", "created": int(time.time() - seconds)})


def test_a_rotation_lets_the_next_key_sign(shop: Flask, path: Path) -> None:
    """The old key verifies until its last token has expired and every worker has noticed."""
    waiting(path, 400)
    old = access_token(shop)
    before = time.time()
    assert keys(shop, "rotate").stdout == f"{RSA['kid']} signs now\n"
    assert lives(path) == [("RS256", "active"), ("ES256", "retiring")]
    month = shop.config["JWT_REFRESH_TOKEN_EXPIRES"].total_seconds()
    assert abs(members(path)[1]["until"] - (before + month + RELOAD_INTERVAL)) <= 2
    shop.config["JWT_VERIFY_CACHE_SIZE"] = 1  # anything: the application reads its keys anew
    assert status(shop, old) == 200
    assert status(shop, access_token(shop)) == 200


def test_a_key_that_verifiers_may_not_know_does_not_sign(shop: Flask, path: Path) -> None:
    """Unless ``--now`` is given."""
    waiting(path, 100)
    line = refusal(shop, "rotate")
    assert f"less than {MAX_AGE + RELOAD_INTERVAL:.0f} seconds ago" in line
    assert "--now" in line
    keys(shop, "rotate", "--now")
    assert lives(path)[0] == ("RS256", "active")


def test_the_overlap_may_be_given(shop: Flask, path: Path) -> None:
    """In seconds. It is required if tokens never expire."""
    waiting(path, 400)
    shop.config["JWT_REFRESH_TOKEN_EXPIRES"] = False
    assert "--overlap" in refusal(shop, "rotate")
    keys(shop, "rotate", "--overlap", "60")
    assert abs(members(path)[1]["until"] - (time.time() + 60)) <= 2


def test_the_overlap_covers_leeway_and_access_tokens(shop: Flask, path: Path) -> None:
    """The longer of both lifetimes counts, plus the leeway."""
    waiting(path, 400)
    shop.config.update(
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(hours=2),
        JWT_REFRESH_TOKEN_EXPIRES=timedelta(hours=1),
        JWT_DECODE_LEEWAY=30,
    )
    keys(shop, "rotate")
    assert abs(members(path)[1]["until"] - (time.time() + 7200 + 30 + RELOAD_INTERVAL)) <= 2


def test_without_a_next_key_there_is_no_rotation(shop: Flask) -> None:
    """The error says what to do first."""
    keys(shop, "generate")
    assert refusal(shop, "rotate") == "There is no next key: flask jwt keys generate"


# --- retire ---------------------------------------------------------------------------------------------------------


def test_a_leaked_key_is_removed(shop: Flask, path: Path) -> None:
    """It is removed from the file."""
    write_set(path, RSA, EC | {"state": "retiring"})
    assert keys(shop, "retire", EC["kid"]).stdout == f"{EC['kid']} has retired\n"
    assert [jwk["kid"] for jwk in members(path)] == [RSA["kid"]]


def test_a_kid_may_begin_with_a_hyphen(shop: Flask, path: Path) -> None:
    """Thumbprints of imported keys do now and then."""
    write_set(path, RSA, EC | {"kid": "-Yx_", "state": "retiring"})
    assert keys(shop, "retire", "-Yx_", "--after", "60").stdout == "-Yx_ retires in 60 seconds\n"
    assert json.loads(run(shop, "keys", "export", "--private", "-Yx_").stdout)["d"] == EC["d"]


def test_a_key_may_retire_later(shop: Flask, path: Path) -> None:
    """After some seconds. An earlier end is not postponed."""
    write_set(path, RSA, EC)
    assert keys(shop, "retire", EC["kid"], "--after", "60").stdout == f"{EC['kid']} retires in 60 seconds\n"
    keys(shop, "retire", EC["kid"], "--after", "9999")
    assert abs(members(path)[1]["until"] - (time.time() + 60)) <= 2


def test_the_key_that_signs_does_not_retire(shop: Flask, path: Path) -> None:
    """Otherwise, users could not log in. An unknown kid is an error, too."""
    write_set(path, EC, RSA | {"state": "next"})
    assert refusal(shop, "retire", EC["kid"]) == f"No key would sign after {EC['kid']}: flask jwt keys rotate first"
    assert refusal(shop, "retire", "x") == "There is no key x"


# --- export and import ----------------------------------------------------------------------------------------------


def test_the_public_set_is_exported(shop: Flask, path: Path) -> None:
    """It is what JWT_JWKS_PATH serves."""
    write_set(path, EC, RSA | {"state": "next"})
    exported = json.loads(keys(shop, "export").stdout)["keys"]
    assert [jwk["kid"] for jwk in exported] == [EC["kid"], RSA["kid"]]
    assert not set().union(*exported) & PRIVATE_MEMBERS


def test_a_private_key_is_printed_by_its_kid(shop: Flask, path: Path) -> None:
    """Only the one with this kid."""
    write_set(path, EC, RSA)
    result = run(shop, "keys", "export", "--private", EC["kid"])
    assert json.loads(result.stdout)["d"] == EC["d"]
    assert RSA["d"] not in result.output
    assert refusal(shop, "export", "--private", "x") == "There is no key x"


def test_a_key_is_imported_from_pem(shop: Flask, path: Path, tmp_path: Path) -> None:
    """The name of the PEM file does not matter. The key waits for a rotation unless another state is given."""
    write_set(path, RSA)
    (tmp_path / "in").mkdir()
    keys(shop, "import", str(write_pem(tmp_path / "in", "a.active.pem", PRIVATE_KEYS["ES256"])))
    keys(shop, "import", str(write_pem(tmp_path / "in", "b.pem", PRIVATE_KEYS["EdDSA"])), "--state", "retiring")
    assert [(jwk["kid"], jwk.get("state")) for jwk in members(path)] == [
        (RSA["kid"], None),
        (EC["kid"], "next"),
        (OKP["kid"], "retiring"),
    ]


@pytest.mark.filterwarnings("ignore::getpass.GetPassWarning")
def test_the_passphrase_of_a_pem_file_is_prompted_for(shop: Flask, path: Path, tmp_path: Path) -> None:
    """It is not a command-line argument, because other users can read those."""
    write_set(path, RSA)
    file = str(write_pem(tmp_path, "a.pem", PRIVATE_KEYS["ES256"], b"open"))
    wrong = run(shop, "keys", "import", file, input="shut\n")
    assert wrong.exit_code == 1
    assert "the passphrase is wrong" in wrong.stderr
    right = run(shop, "keys", "import", file, input="open\n")
    assert (right.exit_code, right.stdout) == (0, f"{EC['kid']}\n")
    assert [jwk["kid"] for jwk in members(path)] == [RSA["kid"], EC["kid"]]
    assert b"open" not in path.read_bytes()


@pytest.mark.parametrize("form", ["a JWK", "a JWK Set", "a list", "a key without a name"])
def test_a_key_is_imported_from_json(shop: Flask, path: Path, tmp_path: Path, form: str) -> None:
    """JWK and JWK Set files of other tools."""
    write_set(path, RSA)
    bare = without(EC, "kid", "alg")
    document: Any = {"a JWK": EC, "a JWK Set": {"keys": [EC, OKP]}, "a list": [EC], "a key without a name": bare}[form]
    (tmp_path / "in.json").write_text(json.dumps(document))
    printed = keys(shop, "import", str(tmp_path / "in.json")).stdout.splitlines()
    assert printed == [EC["kid"], OKP["kid"]][: 2 if form == "a JWK Set" else 1]
    assert [jwk["kid"] for jwk in members(path)] == [RSA["kid"], *printed]
    assert [each["kid"] for each in json.loads(keys(shop, "list", "--json").stdout)] == [RSA["kid"], *printed]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "in.json does not contain a JWK Set"),
        ("[[[", "in.json does not contain a JWK Set"),
        (json.dumps({"kty": "EC"}), "lacks a member"),
        (json.dumps(EC | {"x": EC["y"]}), "Not a valid key for ES256"),
        (json.dumps(to_jwk("RS256", rsa.generate_private_key(65537, 1024))), "too weak"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "does not contain a usable key"),
    ],
)
def test_an_invalid_key_is_not_imported(shop: Flask, path: Path, tmp_path: Path, content: str, expected: str) -> None:
    """The key file is unchanged."""
    write_set(path, RSA)
    (tmp_path / "in.json").write_text(content)
    line = refusal(shop, "import", str(tmp_path / "in.json"))
    assert line.startswith("Nothing was imported from in.json: ")
    assert re.search(expected, line)
    assert EC["d"] not in line


def test_a_key_is_not_imported_twice(shop: Flask, path: Path, tmp_path: Path) -> None:
    """Of a set, all keys are imported or none."""
    write_set(path, RSA)
    (tmp_path / "in.json").write_text(json.dumps([EC, RSA]))
    assert refusal(shop, "import", str(tmp_path / "in.json")) == f"There is a key {RSA['kid']} already"


# --- all of it, as a process ----------------------------------------------------------------------------------------


def test_the_lifecycle_of_keys_from_the_shell(tmp_path: Path, make_app: MakeApp) -> None:
    """generate and check run in other processes; rotate, retire and export between them."""
    shop, path = write(tmp_path, SHOP), tmp_path / "keys.json"
    generated = run_flask(tmp_path, "--app", shop, "jwt", "keys", "generate")
    assert (generated.returncode, generated.stderr) == (0, "")
    first, app = generated.stdout.strip(), make_app(KEYS=path, SECRET_KEY=None)
    second = keys(app, "generate", "--algorithm", "RS256").stdout.strip()
    assert keys(app, "rotate", "--now", "--overlap", "600").stdout == f"{second} signs now\n"
    assert keys(app, "retire", first).stdout == f"{first} has retired\n"
    (only,) = json.loads(keys(app, "list", "--json").stdout)
    assert (only["kid"], only["state"]) == (second, "active")
    (exported,) = json.loads(keys(app, "export").stdout)["keys"]
    assert thumbprint(exported) == second
    checked = run_flask(tmp_path, "--app", shop, "jwt", "check", "--json")
    assert [finding["code"] for finding in json.loads(checked.stdout)] == ["no_next_key"]


def test_tokens_of_an_imported_key_are_accepted(shop: Flask, path: Path, tmp_path: Path) -> None:
    """The public key of another service verifies its tokens here."""
    keys(shop, "generate")
    (tmp_path / "in.json").write_text(json.dumps(public(EC)))
    keys(shop, "import", str(tmp_path / "in.json"), "--state", "retiring")
    response = shop.test_client().get("/access", headers=bearer(made_by(EC)))
    assert response.status_code == 200


# --- as documented --------------------------------------------------------------------------------------------------

KID = re.compile(r"\b[\w-]{43}\b")


def documented_runs() -> list[tuple[list[str], str]]:
    """The commands in docs/keys.md, each with its output."""
    page = (Path(__file__).parents[2] / "docs" / "keys.md").read_text()
    blocks = "".join(block.split("```")[0] for block in page.split("```console\n")[1:])
    runs = (each.partition("\n") for each in blocks.split("$ flask --app shop jwt keys ")[1:])
    return [(command.split(), output) for command, _, output in runs]


def test_the_documentation_shows_what_is_printed(shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of the page, with the clock of the page. Only the kids differ."""
    clock = stopped_clock(monkeypatch)
    monkeypatch.setattr("flask_jwt_extended._keys.current.time", SimpleNamespace(monotonic=clock))
    clock.now = 1_795_465_800.0  # 2026-11-23 20:30 UTC
    names: dict[str, str] = {}
    for number, (command, output) in enumerate(documented_runs()):
        clock.now += (0, 30 * 86_400, 0, 0, MAX_AGE + 4, RELOAD_INTERVAL)[number]
        printed = run(shop, "keys", *command).output
        names |= dict(zip(KID.findall(printed), KID.findall(output), strict=True))
        for actual, documented in names.items():
            printed = printed.replace(actual, documented)
        assert printed == output
    assert len(names) == 2


# --- the lock -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_only_its_owner_may_open_the_lock(shop: Flask, path: Path, umask: int) -> None:
    """Whatever the umask is, and even if an earlier version left a lock file with another mode."""
    lock = path.with_name(".keys.json.lock")
    before = os.umask(umask)
    try:
        keys(shop, "generate")
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600
        lock.chmod(0o644)
        keys(shop, "generate")
    finally:
        os.umask(before)
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_the_lock_is_waited_for_until_a_timeout(shop: Flask, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the lock file and what to do. The command works once the lock is released."""
    keys(shop, "generate")
    monkeypatch.setattr("flask_jwt_extended._keys.files.LOCK_TIMEOUT", 0.3)
    lock = path.with_name(".keys.json.lock")
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        began = time.monotonic()
        line = refusal(shop, "generate")
        assert 0.2 < time.monotonic() - began < 5
        assert str(lock) in line
        assert "try again" in line
    keys(shop, "generate")
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        monkeypatch.setattr("flask_jwt_extended._keys.files.LOCK_TIMEOUT", 30.0)
        Timer(0.3, lambda: fcntl.flock(held, fcntl.LOCK_UN)).start()
        keys(shop, "generate")
    assert len(members(path)) == 3


def test_a_lock_that_is_a_link_is_not_followed(shop: Flask, path: Path, tmp_path: Path) -> None:
    """Another user could have made the link, to create a file with our rights."""
    path.with_name(".keys.json.lock").symlink_to(tmp_path / "elsewhere")
    assert "cannot be changed" in refusal(shop, "generate")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "command", [("generate",), ("rotate", "--now"), ("retire", EC["kid"])], ids=lambda words: words[0]
)
def test_a_link_to_the_file_stays_a_link(make_app: MakeApp, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Otherwise, workers that open the target would keep using the old key."""
    real = write_set(tmp_path / "real.json", RSA, EC | {"state": "next"})
    if command[0] == "retire":
        real = write_set(real, RSA, EC | {"state": "retiring"})
    folder = tmp_path / "current"
    folder.mkdir()
    link = folder / "keys.json"
    link.symlink_to(Path("..", "real.json"))
    before = real.read_bytes()
    keys(make_app(KEYS=link, SECRET_KEY=None), *command)
    assert link.is_symlink()
    assert real.read_bytes() != before
    assert link.read_bytes() == real.read_bytes()
    assert [each.name for each in folder.iterdir()] == ["keys.json"]
    assert (tmp_path / ".real.json.lock").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change files of others")
def test_the_file_keeps_its_owner(shop: Flask, path: Path) -> None:
    """An administrator runs the command, and the user of the application reads the file."""
    write_set(path, EC)
    os.chown(path, 12345, 12346)
    keys(shop, "generate")
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 12346, 0o600)


def test_no_name_of_a_new_key_looks_like_an_option() -> None:
    """Otherwise, several of 500 random kids would begin with a hyphen."""
    assert not any(generate("HS256", 0)["kid"].startswith("-") for _ in range(500))
