"""The routes by which bundles arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from rig.contract.bundles import ASK_MAX, MSGPACK, PACK_MAX, Ask, Commit, bundle_path
from rig.contract.names import label_problem
from rig.kernel.errors import UNREADABLE, RigError
from rig.kernel.failpoints import failpoint
from rig.node.bundles.receive import receive
from rig.node.bundles.store import Store
from rig.node.bundles.verify import commit
from rig.node.http.body import body_chunks, read_body, too_large

_COMMIT_MAX = 4096


def add_routes(
    app: web.Application,
    store_for: Callable[[str], Store],
    authorize: Callable[[web.Request, str], Awaitable[None]],
) -> None:
    """Serve the bundles of every network. ``authorize`` raises unless the caller may deploy to the network.

    All three are harmless when they are repeated. Failures leave as `RigError`.
    """

    async def enter(request: web.Request) -> Store:
        network = request.match_info["network"]
        await authorize(request, network)
        # A slash may stand in it, written as %2F; it names a folder.
        if problem := label_problem(network):
            raise RigError("invalid_data", f"`{network}` names no network: {problem}.")
        return store_for(network)

    async def negotiate(request: web.Request) -> web.Response:
        store = await enter(request)
        try:
            ask = msgspec.msgpack.decode(await read_body(request, 2 * ASK_MAX), type=Ask)
        except UNREADABLE as error:
            raise _unreadable(error) from error
        lacks = await asyncio.to_thread(store.lacks, ask)
        return web.Response(body=msgspec.msgpack.encode(lacks), content_type=MSGPACK)

    async def packs(request: web.Request) -> web.Response:
        store = await enter(request)
        # Spooled, since unpacking blocks: the event loop only moves bytes, and memory stays flat.
        with store.spool() as spool:
            length = 0
            async for chunk in body_chunks(request):
                length += len(chunk)
                if length > PACK_MAX:
                    raise too_large(PACK_MAX)
                spool.write(chunk)
            spool.seek(0)
            failpoint("bundle.spooled")
            received = await asyncio.to_thread(receive, store, spool)
        return web.Response(body=msgspec.json.encode(received), content_type="application/json")

    async def commit_bundle(request: web.Request) -> web.Response:
        store = await enter(request)
        try:
            wanted = msgspec.json.decode(await read_body(request, _COMMIT_MAX), type=Commit)
        except UNREADABLE as error:
            raise _unreadable(error) from error
        bundle = await asyncio.to_thread(commit, store, wanted.bundle)
        return web.Response(body=msgspec.json.encode(bundle), content_type="application/json")

    app.router.add_post(bundle_path("{network}", "/negotiate"), negotiate)
    app.router.add_post(bundle_path("{network}", "/packs"), packs)
    app.router.add_post(bundle_path("{network}"), commit_bundle)


def _unreadable(error: Exception) -> RigError:
    return RigError("invalid_data", f"The body of the request cannot be read: {error}.")
