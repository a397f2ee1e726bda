"""Slots: what of a route Caddy reads anew for every request, so that a change of it needs no new configuration.

A slot is a folder of small files: whose it is, how many instances there are, the port of each, and what is said where
there are none. The configuration names slots, not ports, and has some to spare for hostnames that are yet to come; see
:mod:`.config` for how they are used, and the decision about the edge for why.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from rig.kernel.files import private_folder, write_atomic
from rig.node.edge import pages

SLOTS = "slots"
"""Folder, in Caddy's working directory, with a folder per slot."""

FEW = 4
"""An app may have up to so many instances, or so many more or less than when the configuration was loaded, without its
being loaded again."""

NOBODY = "no host"
"""The hostname, and the number of instances, of a slot that nobody has. With a space, since no request names such a
host; an empty one would be that of a request without any."""

Idle = Literal["empty", "stopped", "crashed"]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One hostname and who answers it."""

    hostname: str
    app: str = ""
    """``network/app``, for the pages that the edge shows in its place."""
    ports: tuple[int, ...] = ()
    """The instances, on 127.0.0.1. Empty: a page says why there are none."""
    idle: Idle = "empty"
    """Why there is no instance: nothing deployed yet, stopped, or none runs that should."""
    proof: str = ""
    """For the node's own API: sent along in the header :data:`rig.node.edge.config.PROOF_HEADER`, so that the node can
    tell what came through the edge, and believe its X-Forwarded-For. What is sent to such a hostname is not logged."""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One place of the configuration."""

    id: int
    hostname: str = ""
    """Whose it is; empty: to spare."""
    named: bool = False
    """Whether the configuration names the hostname. Else Caddy reads that too, which costs a file for each request that
    passes by."""
    gone: bool = False
    """Whether the hostname is served no more. Nobody else gets the slot: its log is open until the next loading."""
    instances: int = 0
    """How many there were when the configuration was loaded."""
    proof: str = ""
    """Of the route, see there."""

    @property
    def counts(self) -> tuple[int, ...]:
        """The numbers of instances that the configuration is ready for."""
        around = range(self.instances - FEW, self.instances + FEW + 1)
        return tuple(sorted({*range(1, FEW + 1), *(count for count in around if count > 0)}))

    @property
    def configured(self) -> Slot:
        """What of it stands in the configuration: two slots that are alike in this need no loading."""
        hostname = self.hostname if self.named else ""
        return msgspec.structs.replace(self, hostname=hostname, gone=False)

    def file(self, name: str | int) -> str:
        """A file of the slot, as a path within Caddy's working directory."""
        return f"{SLOTS}/{self.id}/{name}"

    @property
    def access_log(self) -> str:
        """Likewise, its access log; Caddy keeps older ones beside it."""
        return self.file("access.log")


def assign(slots: tuple[Slot, ...], routes: tuple[Route, ...]) -> tuple[Slot, ...] | None:
    """The same slots with these routes in them; None where they do not fit."""
    wanted = {route.hostname for route in routes}
    given = {
        slot.id: msgspec.structs.replace(slot, gone=True) if slot.hostname and slot.hostname not in wanted else slot
        for slot in slots
    }
    serving = {slot.hostname: slot for slot in given.values() if slot.hostname and not slot.gone}
    spare = [slot for slot in given.values() if not slot.hostname]
    for route in routes:
        slot = serving.get(route.hostname)
        if slot is None and spare:
            slot = msgspec.structs.replace(spare.pop(0), hostname=route.hostname)
            given[slot.id] = slot
        if slot is None or slot.proof != route.proof or (route.ports and len(route.ports) not in slot.counts):
            return None
    return tuple(given.values())


def lay_out(slots: tuple[Slot, ...], routes: tuple[Route, ...], spare: int) -> tuple[Slot, ...]:
    """Slots for these routes and ``spare`` more, to be loaded. Who has one keeps it."""
    serving = {slot.hostname: slot.id for slot in slots if slot.hostname and not slot.gone}
    # Not even the slots that go are given to others: until it has loaded, Caddy writes to their logs.
    free = max((slot.id for slot in slots), default=0) + 1
    laid = []
    for route in routes:
        number = serving.get(route.hostname, free)
        free += number == free
        laid.append(Slot(id=number, hostname=route.hostname, named=True, instances=len(route.ports), proof=route.proof))
    return (*laid, *(Slot(id=number) for number in range(free, free + spare)))


def access_log(folder: Path, hostname: str) -> Path:
    """The access log of one hostname: a JSON object per line. A link to the file that Caddy writes, and rolls."""
    return folder / "access" / f"{hostname}.log"


class SlotFiles:
    """The slots' files in the edge's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filled: dict[str, str] = {}
        """Content by file."""
        self._last: dict[int, tuple[Slot, Route | None]] = {}
        """What each slot was filled with: of many apps one changes."""
        self._swept = False

    def fill(self, slots: Iterable[Slot], routes: Iterable[Route]) -> None:
        """Point the slots to what they serve. From here on requests go there."""
        by_hostname = {route.hostname: route for route in routes}
        for slot in slots:
            route = None if slot.gone else by_hostname.get(slot.hostname)
            if self._last.get(slot.id) == (slot, route):
                continue
            self._last.pop(slot.id, None)
            if route is None:
                contents = {"host": NOBODY, "count": NOBODY, "page": ""}
            else:
                contents = self._contents(slot, route)
                self._link_log(slot)
            private_folder(str(self.folder / SLOTS / str(slot.id)))
            for name, content in contents.items():
                path = slot.file(name)
                if self._filled.get(path) != content:
                    # Not synced: after a power cut they are all filled again.
                    write_atomic(self.folder / path, content.encode(), durable=False)
                    self._filled[path] = content
            self._last[slot.id] = slot, route

    def forget(self, before: Iterable[Slot], slots: Iterable[Slot]) -> None:
        """Remove what is left of hostnames that are served no more, and of slots that the configuration no longer has.

        The access log goes at once: the next owner of the name must not read it.
        """
        before, slots = tuple(before), tuple(slots)
        serving = {slot.hostname for slot in slots if not slot.gone}
        for slot in before:
            if slot.hostname and not slot.gone and slot.hostname not in serving:
                access_log(self.folder, slot.hostname).unlink(missing_ok=True)
                self.remove_logs((slot,))
        kept = {str(slot.id) for slot in slots}
        if self._swept and kept >= {str(slot.id) for slot in before}:
            return
        for path in (self.folder / SLOTS).glob("*"):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
        self._filled = {path: content for path, content in self._filled.items() if path.split("/")[1] in kept}
        self._last = {number: last for number, last in self._last.items() if str(number) in kept}
        self._swept = True

    def remove_logs(self, slots: Iterable[Slot]) -> None:
        """Remove the access logs of slots, which are not theirs: of an edge whose record was lost, say."""
        for slot in slots:
            for path in (self.folder / SLOTS / str(slot.id)).glob("access*.log*"):
                path.unlink(missing_ok=True)

    def refill(self, slots: Iterable[Slot], routes: Iterable[Route]) -> None:
        """As :meth:`fill`, whatever stands in the files now."""
        self._filled.clear()
        self._last.clear()
        self.fill(slots, routes)

    def _contents(self, slot: Slot, route: Route) -> dict[str, str]:
        """File by file, in the order in which they are to be written: what is counted has its ports already."""
        ports = route.ports
        contents = {}
        if ports:
            count = len(ports)
            # A request that is tried again may still ask for an instance of a higher number than there are now.
            while slot.file(count) in self._filled:
                count += 1
            contents = {str(number): str(ports[number % len(ports)]) for number in range(count)}
        page = pages.idle_text(route.app or route.hostname, route.idle)
        return contents | {"page": page, "count": str(len(ports)), "host": route.hostname}

    def _link_log(self, slot: Slot) -> None:
        link, target = access_log(self.folder, slot.hostname), f"../{slot.access_log}"
        if not link.is_symlink() or os.readlink(link) != target:
            private_folder(str(link.parent))
            link.unlink(missing_ok=True)
            link.symlink_to(target)
