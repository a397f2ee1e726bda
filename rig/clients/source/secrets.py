"""Files that look like secrets, by their names and by what is in them. They are refused unless the user allows them,
one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rig.clients.source.ignore import PatternList
from rig.kernel.errors import RigError
from rig.kernel.words import some_of

SECRET_NAMES = b"""
.env
.env.*
*.env
!.env.example
!.env.sample
!.env.template
!.env.dist
!.env.defaults
!example.env
!sample.env
!template.env
.envrc
*.pem
*.key
*.p8
*.p12
*.pfx
*.ppk
*.jks
*.keystore
*.kdbx
id_rsa*
id_dsa*
id_ecdsa*
id_ed25519*
!id_*.pub
.netrc
_netrc
.pgpass
.pypirc
.git-credentials
.htpasswd
*.tfstate
*.tfstate.backup
service-account*.json
client_secret*.json
secrets.yml
secrets.yaml
secrets.toml
master.key
"""

NPMRC = b".npmrc"
_NPM_SECRETS = (b"_authToken", b"_auth", b"_password")
"""An `.npmrc` without one of these holds settings only, and most projects have such a one."""

_patterns = PatternList(SECRET_NAMES)


def looks_secret(name: bytes) -> bool:
    """Whether a file of this name would hold credentials more often than not."""
    return _patterns.verdict(name, name, False) is True


_PRIVATE_KEY = b"PRIVATE KEY-----"
"""Ends the first line of a private key in PEM (RFC 7468) and in OpenSSH's own form."""
_RARE = b"Y"
"""The byte of it that stands in the fewest files: to look for one is some ten times as fast as for many."""


def _token(literal: bytes, rest: bytes, before: bytes = b"") -> re.Pattern[bytes]:
    """The shape of a token: a word that begins with ``before`` and ``literal``, then ``rest``.

    An expression that begins with a literal is searched for as fast as the literal itself. So nothing stands before it,
    and what has to be there is looked up once it is found. The seldomer its first byte, the faster it goes.
    """
    return re.compile(literal + rb"(?<=\b" + before + literal + rb")" + rest)


_TOKENS = (
    # Narrow enough to be nothing else.
    _token(b"AKIA", rb"(?![A-Z0-9]{9}EXAMPLE)[A-Z2-7]{16}\b"),
    _token(b"gh", rb"[pousr]_[A-Za-z0-9]{36}\b"),
    _token(b"github_pat_", rb"[A-Za-z0-9_]{80,}"),
    _token(b"glpat-", rb"[A-Za-z0-9_-]{20,}"),
    _token(b"xox", rb"[abprs]-[0-9]{8,}-[A-Za-z0-9-]{16,}"),
    _token(b"k_live_", rb"[A-Za-z0-9]{20,}", before=b"[rs]"),
    _token(b"pm_", rb"[A-Za-z0-9]{36}\b", before=b"n"),
    _token(b"AgE", rb"[A-Za-z0-9_-]{50,}", before=b"pypi-"),
    _token(b"g_", rb"(at|rt|st)\.[A-Za-z0-9_-]{40,}", before=b"ri"),
)
_WHERE_TOKENS_STAND = frozenset(
    b"json yaml yml toml ini cfg conf config properties xml sh bash ps1 tf tfvars env"
    b" py js mjs cjs ts tsx jsx rb php go java kt cs rs ex exs lua pl ipynb".split()
)
"""Endings of files with settings or code. Looking for tokens in all files would double the time to list a source."""


def holds_secret(name: bytes, content: bytes) -> bool:
    """Whether a file's content is a credential for certain: a private key, or a token that tells of itself."""
    if name == NPMRC:
        return npmrc_holds_token(content)
    if _RARE in content and _PRIVATE_KEY in content and b"-----BEGIN " in content:
        return True
    stem, _, ending = name.rpartition(b".")
    if stem and ending.lower() not in _WHERE_TOKENS_STAND:
        return False
    return any(token.search(content) for token in _TOKENS)


def npmrc_holds_token(content: bytes) -> bool:
    """Whether the content of an `.npmrc` has a credential that is not taken from a variable (``${NPM_TOKEN}``)."""
    for line in content.splitlines():
        key, _, value = line.partition(b"=")
        if key.strip().rpartition(b":")[2] in _NPM_SECRETS and not value.strip().strip(b'"').startswith(b"${"):
            return True
    return False


def refuse_secrets(paths: Iterable[bytes], allowed: Iterable[str]) -> None:
    """Raise `RigError` ``secret_in_source`` naming all of ``paths`` that no pattern in ``allowed`` matches.

    The patterns are those of an ignore file at the root of the source.
    """
    permitted = PatternList("\n".join(allowed).encode("utf-8", "surrogateescape"))
    offenders = [p for p in paths if not permitted.verdict(p, p.rpartition(b"/")[2], False)]
    if not offenders:
        return
    names = [p.decode("utf-8", "backslashreplace") for p in sorted(offenders)]
    shown = some_of([f"`{name}`" for name in names], 10)
    raise RigError(
        "secret_in_source",
        f"The source holds {'a file that looks' if len(names) == 1 else f'{len(names)} files that look'}"
        f" like a secret: {shown}.",
        "List what should not travel in .rigignore or .gitignore, or allow it with "
        f"`--allow-secret {names[0] if len(names) == 1 else 'PATH'}`.",
        paths=names[:1000],
    )
