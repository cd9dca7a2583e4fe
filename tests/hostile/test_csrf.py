"""Cross-site requests: the double submit value, where a request comes from, and which methods change something."""

from __future__ import annotations

from itertools import product
from typing import Any
from urllib.parse import quote

import pytest

from ..axes import PROFILES, rotated
from ..tokens import CSRF, claims, genuine
from . import METHODS, Target, Verdict, assert_accepted, assert_refused, attack, carrying, make_target, target_of

SAFE = ("GET", "HEAD")
UNSAFE_IN_COMPAT = ("POST", "PUT", "PATCH", "DELETE")
UNSAFE_IN_STRICT = tuple(method for method in METHODS if method not in SAFE)
UNSAFE = {"compat": UNSAFE_IN_COMPAT, "strict": UNSAFE_IN_STRICT}
GUARDED = [(profile, method) for profile, methods in UNSAFE.items() for method in methods]
guarded = pytest.mark.parametrize(("profile", "method"), GUARDED)
KINDS = ("access", "refresh")
kinds = pytest.mark.parametrize("kind", KINDS)
HERE, ELSEWHERE = "http://localhost", "https://evil.example"


def submit(
    target: Target, method: str = "POST", kind: str = "access", csrf: str | None = CSRF, **headers: str
) -> Verdict:
    """Send a good token in its cookie, a double submit value, and headers (with ``_`` for ``-``)."""
    sent = carrying(target, genuine(claims(type=kind)), "cookies", kind)["headers"]
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    if csrf is not None:
        sent["X-CSRF-TOKEN"] = csrf
    return attack(target, f"/{kind}", method=method, headers=sent)


# --- the double submit value -----------------------------------------------------------------------------------------


@rotated("profile,method", GUARDED, kind=KINDS)
def test_a_cookie_alone_changes_nothing(profile: str, method: str, kind: str) -> None:
    """With an unsafe method, a request passes with the value and is refused without it."""
    target = target_of(profile)
    assert_refused(submit(target, method, kind, csrf=None), "csrf")
    assert_accepted(submit(target, method, kind))


NO_MATCH = [
    *(
        "",
        " ",
        "x",
        "null",
        "undefined",
        "true",
        "0",
        CSRF[:-1],
        CSRF + "x",
        CSRF.upper(),
        CSRF + ", " + CSRF,
        f'"{CSRF}"',
    ),
    *(
        CSRF + "\x00",
        "\xe9",
        CSRF + "\xff",
        "☃".encode().decode("latin-1"),
        quote(CSRF),
        CSRF.replace(" ", "+"),
        "A" * 60_000,
    ),
]


@rotated("value", NO_MATCH, ids=lambda value: ascii(value)[:40], kind=KINDS, profile=PROFILES)
def test_another_value_does_not_match(profile: str, kind: str, value: str) -> None:
    """A part of the value, another case or something beside it does not match; beyond ASCII it is not an error."""
    assert_refused(submit(target_of(profile), kind=kind, csrf=value), "csrf")


@rotated(
    "name",
    ["CSRF-TOKEN", "X-XSRF-TOKEN", "X-CSRFToken", "X-CSRF", "X-CSRF-TOKEN-X", "XX-CSRF-TOKEN", "Cookie2"],
    profile=PROFILES,
)
def test_the_value_in_another_header_does_not_count(profile: str, name: str) -> None:
    """Only the configured header is read."""
    assert_refused(submit(target_of(profile), csrf=None, **{name: CSRF}), "csrf")


@rotated("place", ["query_string", "data", "json", "cookie"], profile=PROFILES)
def test_the_value_in_another_place_does_not_count(profile: str, place: str) -> None:
    """What a page of another origin could send with the cookie proves nothing."""
    target = target_of(profile)
    sent = carrying(target, genuine(), "cookies")
    values: dict[str, Any] = {"csrf_token": CSRF, "X-CSRF-TOKEN": CSRF, "csrf": CSRF}
    if place == "cookie":
        sent["headers"]["Cookie"] += "; " + "; ".join(f"{name}={value}" for name, value in values.items())
    else:
        sent[place] = values
    assert_refused(attack(target, method="POST", **sent), "csrf")


@rotated("value", NO_MATCH, ids=lambda value: ascii(value)[:40], profile=PROFILES)
def test_a_form_holds_the_value_or_it_does_not(profile: str, value: str) -> None:
    """With ``JWT_CSRF_CHECK_FORM`` a field is compared as strictly as the header."""
    target = target_of(profile, CSRF_CHECK_FORM=True)
    sent = carrying(target, genuine(), "cookies")
    assert_refused(attack(target, method="POST", data={"csrf_token": value}, **sent), "csrf")
    assert_accepted(attack(target, method="POST", data={"csrf_token": CSRF}, **sent))


FORMS: dict[str, tuple[bytes, str]] = {
    "another field": (b"csrf=the+double+submit+value", "application/x-www-form-urlencoded"),
    "the field in another case": (b"CSRF_TOKEN=the+double+submit+value", "application/x-www-form-urlencoded"),
    "a field of an array": (b"csrf_token[]=the+double+submit+value", "application/x-www-form-urlencoded"),
    "octets": (b"csrf_token=%ff%fe", "application/x-www-form-urlencoded"),
    "raw octets": (b"\xff\xfe=\xff&csrf_token=\xff", "application/x-www-form-urlencoded"),
    "JSON": (b'{"csrf_token":"the double submit value"}', "application/json"),
    "text": (b"csrf_token=the double submit value", "text/plain"),
    "a multipart body without an end": (
        b"--x\r\nContent-Disposition: form-data; name=csrf_token",
        "multipart/form-data; boundary=x",
    ),
    "a multipart body without a boundary": (b"--x\r\n", "multipart/form-data"),
    "a multipart file": (
        b'--x\r\nContent-Disposition: form-data; name="csrf_token"; filename="f"\r\n\r\n'
        b"the double submit value\r\n--x--\r\n",
        "multipart/form-data; boundary=x",
    ),
    "many fields": (b"a=b&" * 900, "application/x-www-form-urlencoded"),
    "nothing": (b"", "application/x-www-form-urlencoded"),
}


@rotated("form", FORMS, profile=PROFILES)
def test_a_form_of_any_kind_is_only_read(profile: str, form: str) -> None:
    """A body without the field is a missing value, not an error."""
    data, content_type = FORMS[form]
    target = target_of(profile, CSRF_CHECK_FORM=True)
    sent = carrying(target, genuine(), "cookies")
    assert_refused(attack(target, method="POST", data=data, content_type=content_type, **sent), "csrf")


@rotated("kind", KINDS, profile=PROFILES)
def test_the_value_of_one_token_does_not_serve_another(profile: str, kind: str) -> None:
    """Each token has its own value."""
    target = target_of(profile)
    sent = carrying(target, genuine(claims(type=kind, csrf="its own")), "cookies", kind)
    sent["headers"]["X-CSRF-TOKEN"] = CSRF
    assert_refused(attack(target, f"/{kind}", method="POST", **sent), "csrf")


@guarded
def test_an_optional_view_is_no_way_around(profile: str, method: str) -> None:
    """A request with a token in a cookie and without the value is not anonymous."""
    target = target_of(profile)
    sent = carrying(target, genuine(), "cookies")
    assert_refused(attack(target, "/optional", method=method, **sent), "csrf")


OVERRIDES = ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "X-Original-Method"]


@rotated("profile,method", GUARDED, said=["GET", "HEAD", "OPTIONS"])
def test_a_method_is_what_it_is(profile: str, method: str, said: str) -> None:
    """No header makes an unsafe method safe."""
    for name in OVERRIDES:
        assert_refused(submit(target_of(profile), method, csrf=None, **{name: said}), "csrf")


@rotated("method", ["post", "Post", "pOST", "delete"], profile=PROFILES)
def test_a_method_in_another_case_is_the_same(profile: str, method: str) -> None:
    """A method in lower case is checked too."""
    target = target_of(profile)
    sent = carrying(target, genuine(), "cookies")
    verdict = attack(target, environ_overrides={"REQUEST_METHOD": method}, **sent)
    assert not verdict.ran
    assert verdict.status in (400, 401, 405)


@rotated("methods", [["POST"], ["post", "REPORT"], "DELETE"], ids=str, profile=PROFILES)
def test_explicit_methods_win(profile: str, methods: Any) -> None:
    """``JWT_CSRF_METHODS`` protects exactly the methods that it lists, in both profiles."""
    target = make_target(profile, CSRF_METHODS=methods)
    named = [method.upper() for method in ([methods] if isinstance(methods, str) else methods)]
    for method in METHODS:
        verdict = submit(target, method, csrf=None)
        if method in named:
            assert_refused(verdict, "csrf")
        else:
            assert_accepted(verdict)


@rotated("profile,method", GUARDED, location=["headers", "query_string", "json"])
def test_a_token_that_no_browser_sends_by_itself_needs_no_value(profile: str, method: str, location: str) -> None:
    """Only tokens in cookies need the value."""
    target = target_of(profile)
    sent = carrying(target, genuine(), location)
    sent["headers"] = {**sent.get("headers", {}), "Origin": ELSEWHERE, "Sec-Fetch-Site": "cross-site"}
    assert_accepted(attack(target, method=method, **sent))


# --- where a request comes from --------------------------------------------------------------------------------------

#: What the headers say of where a request comes from, and whether that is here. The Host is localhost.
ORIGINS: list[tuple[dict[str, str], bool]] = [
    ({}, True),
    ({"Sec_Fetch_Site": "same-origin"}, True),
    ({"Sec_Fetch_Site": "none"}, True),
    ({"Sec_Fetch_Site": "same-site"}, False),
    ({"Sec_Fetch_Site": "cross-site"}, False),
    ({"Sec_Fetch_Site": ""}, False),
    ({"Sec_Fetch_Site": " "}, False),
    ({"Sec_Fetch_Site": "Same-Origin"}, False),
    ({"Sec_Fetch_Site": "same-origin, cross-site"}, False),
    ({"Sec_Fetch_Site": "cross-site, same-origin"}, False),
    ({"Sec_Fetch_Site": "same-origin\x00"}, False),
    ({"Sec_Fetch_Site": "unknown"}, False),
    ({"Sec_Fetch_Site": "\xff"}, False),
    ({"Sec_Fetch_Site": "cross-site", "Origin": HERE}, False),
    ({"Sec_Fetch_Site": "cross-site", "Referer": HERE + "/"}, False),
    ({"Sec_Fetch_Site": "same-site", "Origin": "http://sub.localhost"}, False),
    ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, False),
    ({"Origin": HERE}, True),
    ({"Origin": "https://localhost"}, True),
    ({"Origin": "HTTP://LOCALHOST"}, True),
    ({"Origin": ELSEWHERE}, False),
    ({"Origin": "null"}, False),
    ({"Origin": "NULL"}, False),
    ({"Origin": " "}, False),
    ({"Origin": "localhost"}, False),
    ({"Origin": "http://"}, False),
    ({"Origin": "http:///"}, False),
    ({"Origin": "://localhost"}, False),
    ({"Origin": "http:localhost"}, False),
    ({"Origin": "http:/localhost"}, False),
    ({"Origin": "http://localhost:8080"}, False),
    ({"Origin": "http://localhost:0"}, False),
    ({"Origin": "http://localhost."}, False),
    ({"Origin": "http://localhost.evil.example"}, False),
    ({"Origin": "http://evil.example.localhost"}, False),
    ({"Origin": "http://notlocalhost"}, False),
    ({"Origin": "http://localhos"}, False),
    ({"Origin": "http://localhost@evil.example"}, False),
    ({"Origin": "http://localhost:80@evil.example"}, False),
    ({"Origin": "http://evil.example@localhost"}, False),
    ({"Origin": "http://evil.example\\@localhost"}, False),
    ({"Origin": "http://localhost\\.evil.example"}, False),
    ({"Origin": "http://localhost%00.evil.example"}, False),
    ({"Origin": "http://localhost%2eevil.example"}, False),
    ({"Origin": "http://evil.example/localhost"}, False),
    ({"Origin": "http://evil.example/http://localhost"}, False),
    ({"Origin": "http://evil.example?http://localhost"}, False),
    ({"Origin": "http://evil.example#http://localhost"}, False),
    ({"Origin": f"{ELSEWHERE} {HERE}"}, False),
    ({"Origin": f"{HERE}, {ELSEWHERE}"}, False),
    ({"Origin": f"{HERE},{ELSEWHERE}"}, False),
    ({"Origin": f"{ELSEWHERE}, {HERE}"}, False),
    ({"Origin": "http://[::1]"}, False),
    ({"Origin": "http://[::1"}, False),
    ({"Origin": "http://]"}, False),
    ({"Origin": "http://[localhost]"}, False),
    ({"Origin": "http://127.0.0.1"}, False),
    ({"Origin": "http://l\xf6calhost"}, False),
    ({"Origin": "http://\u217aocalhost".encode().decode("latin-1")}, False),
    ({"Origin": "chrome-extension://abcdef"}, False),
    ({"Origin": "file://"}, False),
    ({"Origin": "data:text/html,x"}, False),
    ({"Origin": "javascript:alert(1)"}, False),
    ({"Origin": "x" * 60_000}, False),
    ({"Origin": ELSEWHERE, "Referer": HERE + "/"}, False),
    ({"Origin": "null", "Referer": HERE + "/"}, False),
    ({"Origin": HERE, "Referer": ELSEWHERE + "/"}, True),
    ({"Referer": HERE + "/page?x#y"}, True),
    ({"Referer": HERE}, True),
    ({"Referer": ELSEWHERE + "/"}, False),
    ({"Referer": ELSEWHERE + "/localhost"}, False),
    ({"Referer": ELSEWHERE + "/?http://localhost/"}, False),
    ({"Referer": ELSEWHERE + "/#http://localhost/"}, False),
    ({"Referer": "http://localhost.evil.example/"}, False),
    ({"Referer": "http://localhost:8080/"}, False),
    ({"Referer": "http://evil.example@localhost/"}, False),
    ({"Referer": "http://localhost@evil.example/"}, False),
    ({"Referer": "http://evil.example\\@localhost/"}, False),
    ({"Referer": "/page"}, False),
    ({"Referer": "localhost"}, False),
    ({"Referer": "about:blank"}, False),
    ({"Referer": "about:srcdoc"}, False),
    ({"Referer": "http://["}, False),
    ({"Referer": "\xff\xfe"}, False),
    ({"X_Forwarded_Host": "evil.example", "Origin": ELSEWHERE}, False),
    ({"X_Forwarded_Host": "evil.example", "Origin": "http://evil.example"}, False),
    ({"Forwarded": "host=evil.example", "Origin": "http://evil.example"}, False),
    ({"X_Original_Host": "evil.example", "Origin": "http://evil.example"}, False),
]


@rotated("said,here", ORIGINS, ids=lambda value: ascii(value)[:70], kind=KINDS)
def test_strict_takes_requests_from_here_alone(kind: str, said: dict[str, str], here: bool) -> None:
    """A request from another site is refused, even with the right value."""
    verdict = submit(target_of("strict"), kind=kind, **said)
    if here:
        assert_accepted(verdict)
    else:
        assert_refused(verdict, "csrf")


@pytest.mark.parametrize(("said", "here"), ORIGINS, ids=lambda value: ascii(value)[:70])
def test_compat_can_be_told_to(said: dict[str, str], here: bool) -> None:
    """``JWT_CSRF_ORIGIN_CHECK`` works in compat as in strict, even with the double submit off."""
    for options in ({}, {"COOKIE_CSRF_PROTECT": False}):
        verdict = submit(target_of("compat", CSRF_ORIGIN_CHECK=True, **options), **said)
        if here:
            assert_accepted(verdict)
        else:
            assert_refused(verdict, "csrf")


@rotated(
    "method", UNSAFE_IN_STRICT, said=[{"Sec_Fetch_Site": "cross-site"}, {"Origin": ELSEWHERE}, {"Referer": ELSEWHERE}]
)
def test_every_unsafe_method_is_asked_where_it_comes_from(said: dict[str, str], method: str) -> None:
    """The origin is checked for every method that is not safe, known or not."""
    assert_refused(submit(target_of("strict"), method, **said), "csrf")


@rotated(
    "method,said",
    product(SAFE, [{"Sec_Fetch_Site": "cross-site"}, {"Origin": ELSEWHERE}, {"Referer": ELSEWHERE}]),
    ids=str,
    profile=PROFILES,
)
def test_a_link_from_elsewhere_works(profile: str, said: dict[str, str], method: str) -> None:
    """A safe method passes from any site."""
    assert_accepted(submit(target_of(profile), method, csrf=None, **said))


@pytest.mark.parametrize(("said", "here"), [entry for entry in ORIGINS if entry[1]], ids=ascii)
def test_a_request_from_here_needs_the_value_all_the_same(said: dict[str, str], here: bool) -> None:
    """A good origin does not replace the value."""
    for value in (None, "another"):
        assert_refused(submit(target_of("strict"), csrf=value, **said), "csrf")


TRUSTED = "https://app.example.com"
TRUST: list[tuple[dict[str, str], bool]] = [
    ({"Origin": TRUSTED}, True),
    ({"Origin": TRUSTED.upper()}, True),
    ({"Origin": TRUSTED, "Sec_Fetch_Site": "same-site"}, True),
    ({"Origin": TRUSTED, "Sec_Fetch_Site": "cross-site"}, True),
    ({"Origin": "http://app.example.com"}, False),
    ({"Origin": TRUSTED + ":443"}, False),
    ({"Origin": TRUSTED + ":8443"}, False),
    ({"Origin": TRUSTED + "/"}, False),
    ({"Origin": TRUSTED + ".evil.example"}, False),
    ({"Origin": TRUSTED + "."}, False),
    ({"Origin": "https://evil-app.example.com"}, False),
    ({"Origin": "https://x.app.example.com"}, False),
    ({"Origin": "https://example.com"}, False),
    ({"Origin": "https://app.example.com@evil.example"}, False),
    ({"Origin": "https://evil.example@app.example.com"}, False),
    ({"Origin": f"{TRUSTED}, {ELSEWHERE}"}, False),
    ({"Origin": f"{TRUSTED} {ELSEWHERE}"}, False),
    ({"Origin": "null"}, False),
    ({"Sec_Fetch_Site": "cross-site"}, False),
    ({"Referer": TRUSTED + ".evil.example/"}, False),
    ({"Referer": ELSEWHERE + "/" + TRUSTED}, False),
    ({"Referer": TRUSTED + "/page", "Sec_Fetch_Site": "cross-site"}, False),
    ({"Origin": ELSEWHERE, "Referer": TRUSTED + "/"}, False),
]


@rotated("said,trusted", TRUST, ids=lambda value: ascii(value)[:70], profile=PROFILES)
def test_a_trusted_origin_is_named_to_the_letter(profile: str, said: dict[str, str], trusted: bool) -> None:
    """Another scheme, port or subdomain is another origin."""
    target = target_of(profile, CSRF_ORIGIN_CHECK=True, TRUSTED_ORIGINS=(TRUSTED,))
    if trusted:
        assert_accepted(submit(target, **said))
        assert_refused(submit(target, csrf=None, **said), "csrf")
    else:
        assert_refused(submit(target, **said), "csrf")


@pytest.mark.parametrize(
    "host", ["", " ", "bad host", "[", "a b:c", "localhost\\x", "http://localhost", "/", "@", "\xff", "?"]
)
@pytest.mark.parametrize("origin", ["null", "http://", "file://", "data:", "http:///"])
def test_a_host_that_is_none_is_nobodys_origin(origin: str, host: str) -> None:
    """A request without a valid host matches no origin, not even one without a host."""
    verdict = submit(target_of("strict"), Origin=origin, Host=host)
    assert_refused(verdict, "csrf")


@pytest.mark.parametrize("host", ["api.example.com", "api.example.com:8443", "[::1]:5000", "API.example.com"])
@pytest.mark.parametrize(("change", "here"), [("{}", True), ("x{}", False), ("{}.x", False), ("{}0", False)])
def test_the_host_that_was_asked_counts(host: str, change: str, here: bool) -> None:
    """An origin is compared with the Host of the request, including the port."""
    verdict = submit(target_of("strict"), Host=host, Origin="https://" + change.format(host))
    if here:
        assert_accepted(verdict)
    else:
        assert_refused(verdict, "csrf")
