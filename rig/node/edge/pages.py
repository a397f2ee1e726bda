"""What the edge answers itself, where no app does: small plain texts that say what to do."""

from __future__ import annotations

from typing import Any

RETRY_AFTER = "5"
"""Seconds."""

_IDLE = {
    "empty": "{app} has no release yet.\n\nDeploy one: rig deploy --app {app}\n",
    "stopped": "{app} is stopped.\n\nStart it: rig start {app}\n",
    "crashed": "{app} does not run: its processes keep ending.\n\nSee how they end: rig status app {app}\n",
}


def unknown() -> dict[str, Any]:
    """The handler for a host that nobody has."""
    text = (
        "404: there is no app at {http.request.host}.\n\n"
        "The apps and their addresses: rig list apps\nA new one: rig deploy --create\n"
    )
    return _page("404", text)


def idle_text(app: str, why: str) -> str:
    """What is said of an app without an instance; ``why`` is one of :data:`rig.node.edge.slots.Idle`."""
    return "503: " + _IDLE[why].format(app=app)


def idle(text: str) -> dict[str, Any]:
    """The handler for an app without an instance; ``text`` is the placeholder of what is said of it."""
    return _page("503", text, retry=True)


def errors() -> list[dict[str, Any]]:
    """The routes of requests that failed on their way to an app. Its own answers, 500s too, are not touched."""
    text = (
        "{http.error.status_code}: the app at {http.request.host} does not answer. It may be starting again.\n\n"
        "See how it is doing: rig list apps\n"
    )
    away = {"vars": {"{http.error.status_code}": ["502", "503", "504"]}}
    return [
        {"match": [away], "handle": [_page("{http.error.status_code}", text, retry=True)]},
        {"handle": [_page("{http.error.status_code}", "{http.error.status_code}: {http.error.status_text}\n")]},
    ]


def _page(status: str, text: str, *, retry: bool = False) -> dict[str, Any]:
    headers = {
        "Content-Type": ["text/plain; charset=utf-8"],
        "X-Content-Type-Options": ["nosniff"],
        "Cache-Control": ["no-store"],
    }
    if retry:
        headers["Retry-After"] = [RETRY_AFTER]
    return {"handler": "static_response", "status_code": status, "headers": headers, "body": text}
