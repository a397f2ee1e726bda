"""The reference of the Max API: the table of routes for people, the OpenAPI document for programs."""

from __future__ import annotations

import msgspec

from rig import __version__
from rig.contract.api import GRANTS, ROUTES
from rig.contract.base import tag_of
from rig.contract.bundles import bundle_path
from rig.contract.errors import Problem
from rig.node.http.openapi import document
from tests.docs import structs

INTRODUCTION = """\
# The Max API, version 1

JSON over HTTP. [openapi.json](openapi.json) describes it as OpenAPI 3.1; a node serves its own at `/v1/openapi.json`.
`GET /v1` needs no login and names the versions and features of a platform.

## Requests

- **Authorization**: `Bearer TOKEN`. Tokens are letters, digits, `.`, `_` and `-`; none ever stands in a URL.
- **Idempotency-Key**: on every change, at most 200 printable characters. The same key with the same request gives the
  first answer again, also after a lost connection; the same key with another request is refused (`key_reused`). A key
  is the caller's own.
- **Rig-Correlation**: the id of what began it all; the node's record carries it.
- **Bodies** are JSON of at most 1 MiB. A field that the route does not know is refused.
- **Lists** come in pages: `limit`, and `after` with the `next` of the page before. `next` is empty on the last page.
- **If-Match** takes the revision that was read, as its `ETag` or as `expect`. Where it was changed since, the change is
  refused (`precondition_failed`): `details.changed` lists what, each with `key`, `by` and `at`, mostly `from` and `to`.
- `wait` and `seen` of a release are a long poll: the answer is held back until the phase is another one.

## Answers

A refusal is a problem of RFC 9457 (`application/problem+json`), with rig's [code](errors.md) and hint. 423, 429 and 503
carry `Retry-After`. `Rig-Warning` holds what a person should read although the request succeeded.
"""

OTHER = """\
## Bundles

How source travels has routes of its own, since it is no JSON: [bundles](../bundles.md) describes them. They take the
right to deploy.
"""

LOGIN = """\
## Login

OAuth 2.0 with the device grant of RFC 8628, and pages for people; [the guide](../guides/login.md) tells how it is used.

| | |
|---|---|
| `POST /v1/oauth/device_authorization` | begins a login: RFC 8628, section 3.1 |
| `POST /v1/oauth/token` | grants `device_code`, `refresh_token`, and `urn:rig:params:oauth:grant-type:bootstrap` |
| `POST /v1/oauth/revoke` | ends a login: RFC 7009 |
| `GET`, `POST /device` | the page that approves a login |
| `GET`, `POST /invite/CODE` | the page that takes up an invitation |
"""


def page() -> str:
    problem = [(f"`{field.name}`", field.type, field.default, field.meaning) for field in structs.fields(Problem)]
    routes = [
        (
            f"`{route.method} {route.path}`",
            f"`{tag_of(route.command)}`",
            structs.summary(route.command).split("\n")[0],
            route.permission if route.permission != "anyone" else "a login",
            f"{route.status} {structs.link(route.command.reply)}",
        )
        for route in ROUTES
    ]
    rights = sorted(set().union(*GRANTS.values()))
    roles = [(role, *("yes" if right in grants else "" for right in rights)) for role, grants in GRANTS.items()]
    bundles = [
        (f"`POST {bundle_path('{network}', '/negotiate')}`", "which of these do you lack?"),
        (f"`POST {bundle_path('{network}', '/packs')}`", "here is some of it"),
        (f"`POST {bundle_path('{network}')}`", "now it is whole"),
    ]
    return "\n".join(
        [
            INTRODUCTION,
            structs.table(("problem", "type", "default", ""), problem),
            "## Routes\n",
            structs.table(("route", "command", "", "takes the right to", "answer"), routes),
            "## Roles\n",
            "A role is held in one network, or in all (`*`). The owner of the platform has every role everywhere.\n"
            "What somebody may not even read is answered as if it were not there.\n",
            structs.table(("role", *rights), roles),
            OTHER,
            structs.table(("", ""), bundles),
            LOGIN,
        ]
    )


def openapi() -> str:
    """The document that a node of this version serves."""
    return msgspec.json.format(msgspec.json.encode(document(__version__)), indent=2).decode() + "\n"
