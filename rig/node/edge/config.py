"""From routes to Caddy's configuration: a pure function.

The configuration names no port of an app: each instance is a *slot*, a small file with its port, which Caddy reads for
every request. So a new version takes over when the file is renamed into place, and Caddy loads nothing. Loading is
seamless for what is under way, but Go's server drops a connection that it has accepted and not yet read from, so under
load a few requests fail; it is left for routes that come and go.

Caddy's own reference of the fields is its JSON structure, https://caddyserver.com/docs/json/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from rig.node.edge import pages

ADMIN_FD = "RIG_EDGE_ADMIN"
LISTEN_FDS = ("RIG_EDGE_LISTEN_0", "RIG_EDGE_LISTEN_1")
"""Environment variables of Caddy that name the descriptors of its inherited sockets. The configuration refers to them
by name, so that it stays the same whatever number a socket has."""

STREAM_LIMIT = "720h"
"""How long streams and WebSockets go on under a configuration that was replaced. They end when the instance behind
them is stopped; this is for those of other apps, which a change must not cut."""

LOG = "edge.log"
"""Caddy's own log, in the edge's folder."""

PORTS = "ports"
"""Folder, in Caddy's working directory, with one file per instance of each app: its port."""

IDLE_SECONDS = 1
"""How long a connection to an app is kept for the next request. Shorter than what common servers keep one for (gunicorn
2 s, Node.js 5 s): else a request is sent at the moment the app closes, and one that may not be repeated fails."""

PROOF_HEADER = "X-Rig-Edge"

Idle = Literal["empty", "stopped", "crashed"]
Tls = Literal["off", "acme", "internal"]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One hostname and who answers it."""

    hostname: str
    app: str = ""
    """``network/app``, for the pages that the edge shows in its place."""
    ports: tuple[int, ...] = ()
    """The instances, on 127.0.0.1. Empty: a page says why there are none."""
    idle: Idle = "empty"
    """Why there is no instance: nothing deployed yet, stopped, or all of them crash."""
    proof: str = ""
    """For the node's own API: sent along in the header :data:`PROOF_HEADER`, so that the node can tell what came
    through the edge, and believe its X-Forwarded-For. What is sent to such a hostname is not logged."""


class EdgeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the edge can be reached.

    ``tls`` ``off``: plain HTTP on both loopbacks. ``acme``: on every address, ports 80 and 443, with certificates
    obtained and renewed by Caddy. ``internal``: likewise, with certificates by Caddy's own authority, which nobody
    trusts by themselves.
    """

    domain: str = "localhost"
    tls: Tls = "off"
    port: int = 0
    """With ``off``: 0 takes the port that was used before, else the default, else a free one."""
    http_port: int = 80
    https_port: int = 443
    patience: int = 5
    """Seconds that a request waits for an instance that accepts no connection, one that is being restarted say."""

    @property
    def inherits(self) -> bool:
        """Whether the node binds the sockets and hands them over."""
        return self.tls == "off"


def render(routes: tuple[Route, ...], options: EdgeOptions, folder: Path, listeners: int = 1) -> dict[str, Any]:
    """Caddy's whole configuration. ``folder`` takes its logs; ``listeners`` is the number of inherited sockets."""
    server: dict[str, Any] = {
        "listen": [f"fd/{{env.{name}}}" for name in LISTEN_FDS[:listeners]]
        if options.inherits
        else [f":{options.https_port}"],
        "read_header_timeout": "30s",
        "idle_timeout": "5m",
        "max_header_bytes": 64 * 1024,
        "routes": [*(_route(route, options) for route in routes), {"handle": [pages.unknown()]}],
        "errors": {"routes": pages.errors()},
        "logs": {
            "logger_names": {route.hostname: [_logger(route)] for route in routes if not route.proof},
            "skip_unmapped_hosts": True,
        },
    }
    apps: dict[str, Any] = {"http": {"grace_period": STREAM_LIMIT, "servers": {"edge": server}}}
    if options.inherits:
        server["automatic_https"] = {"disable": True}
    else:
        apps["http"] |= {"http_port": options.http_port, "https_port": options.https_port}
        # Nothing is ever added to the machine's trust store.
        apps["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
        if options.tls == "internal":
            apps["tls"] = {"automation": {"policies": [{"issuers": [{"module": "internal"}]}]}}
    return {
        "admin": {"listen": f"fd/{{env.{ADMIN_FD}}}", "config": {"persist": False}},
        "logging": {"logs": _logs(routes, folder)},
        "apps": apps,
    }


def slots(routes: tuple[Route, ...]) -> dict[str, int]:
    """Which port stands in which file of the folder :data:`PORTS`."""
    return {_slot(route, number): port for route in routes for number, port in enumerate(route.ports)}


def access_log(folder: Path, hostname: str) -> Path:
    """The file with the access log of one hostname: a JSON object per line, rolled by Caddy."""
    return folder / "access" / f"{hostname}.log"


def remove_access_log(folder: Path, hostname: str) -> None:
    """Remove that file, and the older ones that Caddy rolled away beside it."""
    for path in (folder / "access").glob(f"{hostname}*.log*"):
        if path.name.removeprefix(hostname).startswith((".log", "-")):
            path.unlink(missing_ok=True)


def _slot(route: Route, number: int) -> str:
    return f"{route.hostname}.{number}"


def _route(route: Route, options: EdgeOptions) -> dict[str, Any]:
    handler = _proxy(route, options) if route.ports else pages.idle(route.app or route.hostname, route.idle)
    return {"match": [{"host": [route.hostname]}], "handle": [handler], "terminal": True}


def _proxy(route: Route, options: EdgeOptions) -> dict[str, Any]:
    proxy: dict[str, Any] = {
        "handler": "reverse_proxy",
        "upstreams": [
            {"dial": f"127.0.0.1:{{file.{PORTS}/{_slot(route, number)}}}"} for number in range(len(route.ports))
        ],
        "load_balancing": {
            "selection_policy": {"policy": "least_conn"},
            # A connection that was refused is tried again for any method, since nothing was sent; a request that
            # failed on the way only if it is a GET. Both are Caddy's defaults.
            "try_duration": f"{options.patience}s",
            "try_interval": "100ms",
        },
        # Event streams and bodies of unknown length are flushed at once, whatever stands here. -1 would do so for all,
        # but Caddy then keeps a request going whose client has left.
        "flush_interval": "20ms",
        "stream_close_delay": STREAM_LIMIT,
        "transport": {
            "protocol": "http",
            "dial_timeout": "3s",
            "keep_alive": {"idle_timeout": f"{IDLE_SECONDS}s"},
        },
    }
    if route.proof:
        proxy["headers"] = {"request": {"set": {PROOF_HEADER: [route.proof]}}}
    if len(route.ports) > 1:
        # With a single instance this would turn one failed request into a second without service.
        proxy["health_checks"] = {"passive": {"fail_duration": "1s", "max_fails": 1}}
    return proxy


def _logger(route: Route) -> str:
    # Dots make a hierarchy of loggers; no hostname holds an underscore, so the name stays unique.
    return route.hostname.replace(".", "_")


def _logs(routes: tuple[Route, ...], folder: Path) -> dict[str, Any]:
    logs: dict[str, Any] = {
        "default": {
            "writer": _file(folder / LOG),
            "encoder": {"format": "json"},
            "exclude": ["http.log.access", "admin.api"],
        }
    }
    for route in routes:
        logs[f"access_{_logger(route)}"] = {
            "writer": _file(access_log(folder, route.hostname)),
            "encoder": {"format": "json"},
            "include": [f"http.log.access.{_logger(route)}"],
        }
    return logs


def _file(path: Path) -> dict[str, Any]:
    return {"output": "file", "filename": str(path), "mode": "0600", "roll_size_mb": 16, "roll_keep": 3}
