"""From slots to Caddy's configuration: a pure function.

The configuration names no port of an app, and not every hostname: both stand in the files of :mod:`.slots`, which
Caddy reads for each request. So a new version takes over when a file is renamed into place, a new app when it is given
a slot that was to spare, and Caddy loads nothing. Loading is seamless for what is under way, but Go's server closes
connections that it has accepted and not yet read from, and those that idle, so under load a few requests fail; it is
left for when the slots do not suffice any more.

Caddy's own reference of the fields is its JSON structure, https://caddyserver.com/docs/json/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from rig.node.edge import pages
from rig.node.edge.slots import Slot

ADMIN_FD = "RIG_EDGE_ADMIN"
LISTEN_FDS = ("RIG_EDGE_LISTEN_0", "RIG_EDGE_LISTEN_1")
"""Environment variables of Caddy that name the descriptors of its inherited sockets. The configuration refers to them
by name, so that it stays the same whatever number a socket has."""

STREAM_LIMIT = "720h"
"""How long streams and WebSockets go on under a configuration that was replaced. They end when the instance behind
them is stopped; this is for those of other apps, which a change must not cut."""

LOG = "edge.log"
"""Caddy's own log, in the edge's folder."""

IDLE_SECONDS = 1
"""How long a connection to an app is kept for the next request. Shorter than what common servers keep one for (gunicorn
2 s, Node.js 5 s): else a request is sent at the moment the app closes, and one that may not be repeated fails."""

PROOF_HEADER = "X-Rig-Edge"

Tls = Literal["off", "acme", "internal"]


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

    @property
    def spare(self) -> int:
        """How many hostnames can be added before a configuration has to be loaded. With certificates none: Caddy
        obtains them for the names that stand in its configuration."""
        return 16 if self.tls == "off" else 0

    def spare_for(self, hostnames: int) -> int:
        """The same for an edge that has so many: an eighth of them, so that of many more few have to be loaded."""
        return max(self.spare, hostnames // 8) if self.spare else 0


def render(slots: tuple[Slot, ...], options: EdgeOptions, folder: Path, listeners: int = 1) -> dict[str, Any]:
    """Caddy's whole configuration. ``folder`` takes its logs; ``listeners`` is the number of inherited sockets."""
    server: dict[str, Any] = {
        "listen": [f"fd/{{env.{name}}}" for name in LISTEN_FDS[:listeners]]
        if options.inherits
        else [f":{options.https_port}"],
        "read_header_timeout": "30s",
        "idle_timeout": "5m",
        "max_header_bytes": 64 * 1024,
        "routes": [*(_route(slot, options) for slot in slots), {"handle": [pages.unknown()]}],
        "errors": {"routes": pages.errors()},
        # Routes name their loggers; what none has named is logged nowhere.
        "logs": {"default_logger_name": "nobody"},
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
        "logging": {"logs": _logs(slots, folder)},
        "apps": apps,
    }


def _route(slot: Slot, options: EdgeOptions) -> dict[str, Any]:
    """Requests to the hostname that has the slot now. A slot that lost its hostname lets them pass to the next one."""
    hostname = _read(slot, "host")
    facts: dict[str, Any] = {"handler": "vars", "count": _read(slot, "count")}
    if not slot.proof:
        facts["access_logger_names"] = [_logger(slot)]
    by_count = [
        {"match": [{"vars": {"count": [str(count)]}}], "handle": [_proxy(slot, count, options)], "terminal": True}
        for count in slot.counts
    ]
    answer = {"handler": "subroute", "routes": [*by_count, {"handle": [pages.idle(_read(slot, "page"))]}]}
    route = {"match": [{"host": [hostname]}], "handle": [facts, answer], "terminal": True}
    if not slot.named:
        return route
    # Others need not read the file to know that it is not about them.
    return {"match": [{"host": [slot.hostname]}], "handle": [{"handler": "subroute", "routes": [route]}]}


def _read(slot: Slot, name: str | int) -> str:
    """The content of one of its files, as a placeholder."""
    return f"{{file.{slot.file(name)}}}"


def _proxy(slot: Slot, count: int, options: EdgeOptions) -> dict[str, Any]:
    proxy: dict[str, Any] = {
        "handler": "reverse_proxy",
        # Read anew when a request is tried again, so that one that missed its instance goes to the new version's.
        "upstreams": [{"dial": f"127.0.0.1:{_read(slot, number)}"} for number in range(count)],
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
    if slot.proof:
        proxy["headers"] = {"request": {"set": {PROOF_HEADER: [slot.proof]}}}
    if count > 1:
        # With a single instance this would turn one failed request into a second without service.
        proxy["health_checks"] = {"passive": {"fail_duration": "1s", "max_fails": 1}}
    return proxy


def _logger(slot: Slot) -> str:
    return f"slot_{slot.id}"


def _logs(slots: tuple[Slot, ...], folder: Path) -> dict[str, Any]:
    logs: dict[str, Any] = {
        "default": {
            "writer": _file(folder / LOG),
            "encoder": {"format": "json"},
            "exclude": ["http.log.access", "admin.api"],
        }
    }
    for slot in slots:
        if not slot.proof:
            logs[f"access_{slot.id}"] = {
                "writer": _file(folder / slot.access_log),
                "encoder": {"format": "json"},
                "include": [f"http.log.access.{_logger(slot)}"],
            }
    return logs


def _file(path: Path) -> dict[str, Any]:
    return {"output": "file", "filename": str(path), "mode": "0600", "roll_size_mb": 16, "roll_keep": 3}
