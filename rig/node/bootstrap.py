"""The node's composition root: builds its parts, in the order in which they need each other, and takes them down."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import pkgutil
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Literal

import msgspec
from aiohttp import web

from events.base import Fact
from events.node import NodeStarted, NodeStopped
from rig import __version__
from rig.contract.node import RELEASES_AT_ONCE
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ids import SystemClock
from rig.node import handlers
from rig.node.accounts import http as accounts_http
from rig.node.accounts.accounts import Accounts
from rig.node.accounts.bootstrap import bootstrap_secret
from rig.node.accounts.deleted import forget_gone_networks, forgetting_networks
from rig.node.accounts.people import account_name
from rig.node.accounts.principal import Principal
from rig.node.background import Background
from rig.node.builder.settings import held_back
from rig.node.bundles import http as bundles_http
from rig.node.bundles.stores import Stores
from rig.node.collect.collector import Collector
from rig.node.collect.model import Retention
from rig.node.collect.report import fact_of
from rig.node.collect.rounds import Rounds
from rig.node.deploy.builds import KeptBuilds
from rig.node.deploy.deployer import Deployer
from rig.node.deploy.logs import KeptBuildLogs
from rig.node.deploy.routing import Routing
from rig.node.deploy.workshop import Workshop
from rig.node.edge.caddy import Edge
from rig.node.edge.config import EdgeOptions
from rig.node.edge.slots import Route
from rig.node.http import openapi
from rig.node.http.api import Api
from rig.node.http.listening import answer_on
from rig.node.http.origin import Origin, edge_proof
from rig.node.http.problems import problems
from rig.node.lifecycle import Lifecycle, stop_requested
from rig.node.node import Node, Recorder, Writer
from rig.node.paths import NodePaths
from rig.node.policy import Policy
from rig.node.pulse import pulse
from rig.node.runtime.driver import IsolationName
from rig.node.runtime.isolation import choose, probe
from rig.node.runtime.process import ProcessDriver
from rig.node.secrets.deleted import forget_leftovers, forgetting
from rig.node.secrets.keys import NodeKeys
from rig.node.secrets.vault import LOST, Vault
from rig.node.supervisor.supervisor import Supervisor
from rig.node.world import FoldingJournal, World
from storage.archive import archived
from storage.evidence import Evidence
from storage.journal import Journal
from storage.projections.audit import AuditProjection
from storage.projections.releases import ReleasesProjection
from storage.witness import Witness

log = logging.getLogger("rig.node")


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `python -m rig.node` was told."""

    home: Path
    api_port: int = 0
    edge_port: int = 0
    domain: str = ""
    isolation: Literal["auto", "bubblewrap", "none"] = "auto"
    releases: int = 0


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """`rig.node.ports.NodePorts` for one request."""

    principal: Principal
    world: World
    accounts: Accounts
    bundles: Stores
    runtime: Deployer
    build_logs: KeptBuildLogs
    builds: KeptBuilds
    garbage: Collector
    secrets: Vault
    witness: Witness
    evidence: Evidence
    isolation: IsolationName
    driver: ProcessDriver
    routing: Routing

    def memory_problem(self) -> str:
        return self.driver.memory_problem()

    def network_domain(self, network: str) -> str:
        return self.routing.network_domain(network)

    def hostname(self, app: str) -> str:
        return self.routing.hostname(app)

    def url(self, app: str) -> str:
        return self.routing.url(app)


async def serve(options: NodeOptions) -> None:
    """Run a node until it is told to stop. Raises `RigError` where it cannot start."""
    paths = NodePaths(options.home)
    with Lifecycle(paths) as life:
        asked = stop_requested()
        previous = life.previous
        domain = options.domain or (previous.domain if previous else "") or "localhost"
        public = domain != "localhost"
        isolation = choose(options.isolation, public=public)
        releases = options.releases or (previous.releases if previous else 0) or RELEASES_AT_ONCE
        if isolation == "none":
            why = "as asked" if options.isolation == "none" else probe()
            log.warning("apps are not kept apart: isolation is off (%s)", why)
        for warning in held_back():
            log.warning("%s", warning)
        load_handlers()
        async with AsyncExitStack() as stack:
            listening = life.listen_api(options.api_port)
            stack.callback(listening.close)
            api_url = f"http://127.0.0.1:{listening.port}"
            # Other machines reach the API through the edge, with its certificate.
            api_host = f"api.{domain}" if public else ""
            kept = await _open(paths, f"https://{api_host}" if public else api_url, stack)
            lost = kept.lost_secrets()
            for problem in lost:
                log.error("%s", problem)
            edge = Edge(paths.edge, EdgeOptions(domain=domain, tls="acme" if public else "off", port=options.edge_port))
            proof = edge_proof(bootstrap_secret(paths.bootstrap_secret))
            route = Route(hostname=api_host, app="", ports=(listening.port,), proof=proof) if public else None
            running = await _begin(kept, edge, route, isolation, releases)
            stack.push_async_callback(running.node.close)  # after the last request, while the writer is still there
            await answer_on(_application(kept, running.node, Origin(proof)), listening.sockets, stack)
            await kept.recorder.of_node(NodeStarted(version=__version__, isolation=isolation, domain=domain))
            edge_url = edge.url(domain)
            failpoint("node.ready")
            life.ready(
                api=api_url,
                edge=edge_url,
                api_port=listening.port,
                edge_port=edge.port,
                domain=domain,
                isolation=isolation,
                releases=releases,
                problems=lost,
            )
            log.info("ready: API %s, apps %s, isolation %s", api_url, edge_url, isolation)
            everything = await asked == "everything"
            try:
                await kept.recorder.of_node(NodeStopped(apps=everything))
            except RigError as error:
                # Who stops a node on a full disk wants it stopped all the same.
                log.error("the end of the node is not on the record: %s", error.message)
            await running.end(everything=everything)
        life.ended(everything=everything)


def load_handlers() -> None:
    """Import every handler. The bus does so when it needs one, and by then rig may have been updated under the node:
    half of it would be of another version."""
    for module in pkgutil.iter_modules(handlers.__path__, f"{handlers.__name__}."):
        import_module(module.name)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the node keeps on its disk, open."""

    paths: NodePaths
    stored: Journal
    journal: FoldingJournal
    """The same, folded into the world."""
    world: World
    writer: Writer
    recorder: Recorder
    accounts: Accounts
    bundles: Stores
    vault: Vault

    def lost_secrets(self) -> list[str]:
        """What has to be mended by hand of secrets that cannot be read, network by network."""
        lost = self.vault.lost()
        return [f"The secrets of network `{name}` cannot be read: their key is lost. {LOST}" for name in lost]


async def _open(paths: NodePaths, public_url: str, stack: AsyncExitStack) -> Kept:
    """Open what the node keeps, until ``stack`` is left, and forget what a node that was killed had still to forget."""
    stored = Journal.open(paths.journal, origin="node", projections=(AuditProjection(), ReleasesProjection()))
    stack.callback(stored.close)
    world = World()
    await asyncio.to_thread(world.replay, stored, archived(stored))
    journal = FoldingJournal(stored, world)
    writer = Writer()
    stack.callback(writer.close)
    recorder = Recorder(journal, writer, SystemClock())

    def record_account(*, stream: str, fact: Fact, target: str, outcome: str, actor: str, src: str) -> None:
        writer.wait(lambda: recorder.now(stream, fact, target=target, outcome=outcome, actor=actor, src=src))

    accounts = Accounts.open(paths, owner=account_name(user_name()), url=lambda: public_url, record=record_account)
    stack.callback(accounts.close)
    bundles = Stores(paths)
    stack.callback(bundles.close)
    vault = Vault(paths.secrets, NodeKeys(paths.secrets_key))
    stack.callback(vault.close)
    forget_leftovers(vault, world)
    forget_gone_networks(accounts, world)
    world.listeners += [forgetting(vault), forgetting_networks(accounts, bundles)]
    return Kept(
        paths=paths,
        stored=stored,
        journal=journal,
        world=world,
        writer=writer,
        recorder=recorder,
        accounts=accounts,
        bundles=bundles,
        vault=vault,
    )


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the node that do something, and have to be told when it ends."""

    node: Node
    background: Background
    collector: Collector
    deployer: Deployer
    supervisor: Supervisor
    edge: Edge

    async def end(self, *, everything: bool) -> None:
        """Stop working. What runs goes on, unless ``everything`` is to end."""
        await self.background.close()
        await self.collector.close()
        await self.deployer.close()
        if everything:
            await self.supervisor.stop_all()
            await self.edge.stop()
        await self.supervisor.close()
        await self.edge.close()


async def _begin(kept: Kept, edge: Edge, api: Route | None, isolation: IsolationName, releases: int) -> Running:
    """Start the edge and what should run behind it, and go on with what the node before had begun."""
    world, paths = kept.world, kept.paths
    await edge.start()
    routing = Routing(edge, world, api)
    driver = ProcessDriver(isolation)

    def ports_for(principal: Principal) -> Ports:
        return ports(principal=principal)  # made below: what is in them needs the node

    node = Node(kept.journal, world, kept.writer, kept.recorder, ports_for, SystemClock(), isolation)
    supervisor = Supervisor(driver, paths, on_change=node.on_instance_change)
    workshop = Workshop(
        world=world,
        paths=paths,
        driver=driver,
        supervisor=supervisor,
        routing=routing,
        stores=kept.bundles,
        record=kept.recorder,
        secrets=kept.vault,
    )
    deployer = Deployer(workshop, releases)
    collector = Collector(world, paths, kept.bundles, deployer, kept.writer, isolation)
    ports = partial(
        Ports,
        world=world,
        accounts=kept.accounts,
        bundles=kept.bundles,
        runtime=deployer,
        build_logs=KeptBuildLogs(paths, world),
        builds=KeptBuilds(paths),
        garbage=collector,
        secrets=kept.vault,
        witness=Witness(str(paths.witnessed), kept.stored.key_path),
        evidence=Evidence(lambda: kept.stored),
        isolation=isolation,
        driver=driver,
        routing=routing,
    )
    retention = Retention()

    async def collect_round() -> None:
        collection = await collector.collect(retention)
        if collection.garbage:
            await kept.recorder.of_node(fact_of(collection, retention))

    rounds = Rounds(collect_round)
    await deployer.start()
    node.attach(deployer, rounds)
    background = Background()
    background.spawn(rounds.run())
    background.spawn(pulse(lambda: kept.writer.run(kept.stored.beat)))
    return Running(
        node=node,
        background=background,
        collector=collector,
        deployer=deployer,
        supervisor=supervisor,
        edge=edge,
    )


def _application(kept: Kept, node: Node, origin: Origin) -> web.Application:
    """The API, with the pages of accounts and the routes of bundles."""

    async def authenticate(request: web.Request) -> Principal:
        return await accounts_http.authenticate(request, kept.accounts)

    api = Api(node, authenticate, SystemClock(), origin)

    async def authorize(request: web.Request, network: str) -> None:
        """Bundles may be sent by whoever may deploy to the network, or make it. Whether it is there is not asked: the
        answer would tell those who may not know."""
        principal = await authenticate(request)
        try:
            Policy(principal).require("deploy", network, network)
        except RigError as error:
            if error.code == "forbidden":
                await kept.recorder.denied("bundle.send", network, error, api.stamp(request, principal))
            raise

    application = web.Application(middlewares=[problems])
    api.add_routes(application)
    accounts_http.add_routes(application, kept.accounts, origin)
    bundles_http.add_routes(application, kept.bundles, authorize)
    document = openapi.document(__version__)

    async def openapi_document(request: web.Request) -> web.Response:
        return web.json_response(document)

    application.router.add_get("/v1/openapi.json", openapi_document)
    return application


def user_name() -> str:
    """Name of the user that the node runs as; its number where it has none, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
