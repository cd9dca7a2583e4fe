"""The domains, names and paths of cookies that browsers accept (RFC 6265bis). They are checked when the application
starts, because a server does not notice that a browser drops a cookie: the login answers 200, but has no effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from string import ascii_letters, digits
from typing import NamedTuple

from ..exceptions import ConfigurationError
from .redaction import shown

#: The characters of a cookie name (RFC 9110, section 5.6.2: ``token``).
_TOKEN = frozenset(ascii_letters + digits + "!#$%&'*+-.^_`|~")
_HOST_NAME = frozenset(ascii_letters + digits + "-_")

# The most common entries of https://publicsuffix.org: domains below which anyone can register names. The whole list has
# ten thousand entries and changes weekly, so only browsers check it.
_SECOND_LEVEL = {
    "ac": "at cn id il in ir jp ke kr nz rs th tz ug uk za",
    "co": "at cr id il in jp ke kr nz th tz ug uk us ve za zw",
    "com": "ar au bd bo br cn co do ec eg es et fr gh gr gt hk kh lb ly mk mt mx my na ng ni np om pa pe ph pk pl pr "
    "pt py qa ro ru sa sg sv tn tr tw ua uy ve vn",
    "edu": "ar au br cn co hk mx my pe pl sg tr tw vn",
    "gov": "ar au br cn co hk il in my pl sg tr tw uk za",
    "net": "ar au br cn co il in mx my nz pl ru sg tr tw ua uk za",
    "org": "ar au br cn co es hk il in mx my nz pl ru sg tr tw ua uk za",
}
_HOSTING = (
    "appspot.com azurewebsites.net blogspot.com cloudfront.net elasticbeanstalk.com firebaseapp.com fly.dev github.io "
    "gitlab.io herokuapp.com hf.space netlify.app ngrok-free.app ngrok-free.dev ngrok.app ngrok.dev ngrok.io "
    "onrender.com ondigitalocean.app pages.dev pythonanywhere.com eu.pythonanywhere.com readthedocs.io repl.co "
    "replit.app replit.dev run.app a.run.app streamlit.app trycloudflare.com up.railway.app vercel.app vercel.dev "
    "web.app workers.dev "
    "ne.jp or.jp go.jp me.uk ltd.uk plc.uk nhs.uk or.kr go.kr or.at gv.at govt.nz asn.au id.au firm.in gen.in"
)
PUBLIC_SUFFIXES = frozenset(
    [f"{second}.{top}" for second, tops in _SECOND_LEVEL.items() for top in tops.split()] + _HOSTING.split()
)


def check_domain(value: str, name: str) -> None:
    """Refuse a ``Domain`` that no browser accepts for a cookie: one that is no host name, or a public suffix."""
    if problem := _problem_with_domain(value):
        raise ConfigurationError(
            f"{name} {problem}. Browsers drop such a cookie: use a domain of yours such as 'example.com', or leave it "
            "out to send cookies only to the host that set them"
        )


def _problem_with_domain(value: str) -> str | None:
    domain = value.removeprefix(".").lower()
    if "/" in domain:
        return "must be a domain, not a URL or a path"
    if "*" in domain:
        return "must be a domain without a wildcard: it covers its subdomains anyway"
    last = domain.rpartition(".")[2]
    if ":" in domain or last.isdecimal() or last.startswith("0x"):
        return "must be a domain: a cookie has no port, and no Domain for an IP address"
    labels = _ascii(domain).split(".")
    if not all(0 < len(label) < 64 and _HOST_NAME.issuperset(label) for label in labels):
        return "must be a domain: letters, digits and hyphens between dots"
    if ".".join(labels) in PUBLIC_SUFFIXES or (len(labels) == 1 and domain != "localhost"):
        return f"cannot be {domain!r}, a public suffix, which unrelated sites share"
    return None


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return ""


class CookieName(NamedTuple):
    """One of the cookies of an application, and the option that holds its name."""

    option: str
    name: str
    path: str
    is_readable: bool = False  # by scripts


def is_bound_to_host(cookie: str) -> bool:
    """Return whether browsers accept this name only without a ``Domain`` (RFC 6265bis, section 4.1.3.2)."""
    return cookie.lower().startswith("__host-")


def check_prefix(cookie: CookieName, *, secure: bool, domain: str | None) -> None:
    """Refuse a name with a prefix that other options contradict (RFC 6265bis, section 4.1.3)."""
    name = cookie.name
    prefix = name.lower()
    if prefix.startswith(("__host-", "__secure-", "__http-")) and not secure:
        raise ConfigurationError(f"The cookie name {name!r} needs JWT_COOKIE_SECURE = True")
    if is_bound_to_host(name) and (cookie.path != "/" or domain):
        raise ConfigurationError(
            f"The cookie name {name!r} needs the path / and no JWT_COOKIE_DOMAIN; name it '__Secure-...' instead"
        )
    if prefix.startswith(("__http-", "__host-http-")) and cookie.is_readable:
        raise ConfigurationError(
            f"The cookie name {name!r} is for cookies that scripts cannot read, but they have to read "
            f"{cookie.option}; name it '__Host-...' instead"
        )


def check_name(cookie: CookieName) -> str | None:
    """Return the problem with a name, or ``None``. Refuse a name that no cookie can have."""
    name = cookie.name
    if name != name.strip() or not name.isprintable() or not {";", "="}.isdisjoint(name):
        raise ConfigurationError(
            f"{cookie.option} cannot be {shown(name)}: the name of a cookie has no '=', ';', control characters or "
            "surrounding spaces"
        )
    if not _TOKEN.issuperset(name):
        return f"{cookie.option} is {shown(name)}: use letters, digits, '-' and '_' only (RFC 6265, section 4.1.1)"
    return None


def check_path(cookie: CookieName) -> str | None:
    """Return the problem with a path, or ``None``."""
    if cookie.path.startswith("/"):
        return None
    option = cookie.option.replace("_NAME", "_PATH")
    return (
        f"{option} is {shown(cookie.path)} and does not begin with '/': browsers use the folder of the page that sets "
        "the cookie instead, so a logout on another page does not delete it"
    )


def check_distinct(cookies: Sequence[CookieName]) -> Iterator[str]:
    """Yield the problems of cookies with the same name on different paths. Refuse them on the same path."""
    for one, other in combinations(cookies, 2):
        if one.name != other.name or not _overlap(one.path, other.path):
            continue
        if one.path == other.path:
            raise ConfigurationError(
                f"{one.option} and {other.option} are both {one.name!r}: each cookie replaces the other; choose two "
                "names"
            )
        yield (
            f"{one.option} and {other.option} are both {one.name!r}, and the paths {one.path!r} and {other.path!r} "
            "overlap: some requests carry both; choose two names"
        )


def _overlap(one: str, other: str) -> bool:
    shorter, longer = sorted((one.rstrip("/") + "/", other.rstrip("/") + "/"), key=len)
    return longer.startswith(shorter)
