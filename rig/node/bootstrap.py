"""The node's composition root: builds its parts, in the order in which they need each other, and takes them down."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
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
from rig.node.accounts import http as accounts_http
from rig.node.accounts.accounts import Accounts
from rig.node.accounts.bootstrap import bootstrap_secret
from rig.node.accounts.deleted import forget_gone_networks, forgetting_networks
from rig.node.accounts.people import account_name
from rig.node.accounts.principal import Principal
from rig.node.builder.settings import held_back
from rig.node.bundles import http as bundles_http
from rig.node.bundles.stores import Stores
from rig.node.collect.collector import Collector
from rig.node.collect.model import Policy as Keeping
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
from rig.node.pulse import Pulse
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


class Ports:
    """`rig.node.ports.NodePorts` for one request."""

    def __init__(
        self,
        principal: Principal,
        world: World,
        accounts: Accounts,
        bundles: Stores,
        runtime: Deployer,
        build_logs: KeptBuildLogs,
        builds: KeptBuilds,
        garbage: Collector,
        secrets: Vault,
        routing: Routing,
        witness: Witness,
        evidence: Evidence,
        isolation: IsolationName,
        memory_problem: Callable[[], str],
    ) -> None:
        self.principal = principal
        self.world = world
        self.accounts = accounts
        self.bundles = bundles
        self.runtime = runtime
        self.build_logs = build_logs
        self.builds = builds
        self.garbage = garbage
        self.witness = witness
        self.evidence = evidence
        self.secrets = secrets
        self.isolation = isolation
        self.memory_problem = memory_problem
        self.network_domain = routing.network_domain
        self.hostname = routing.hostname
        self.url = routing.url


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
            log.warning("apps are not kept apart: isolation is off (%s)", probe() or "as asked")
        for warning in held_back():
            log.warning("%s", warning)
        async with AsyncExitStack() as stack:
            listening = life.listen_api(options.api_port)
            stack.callback(listening.close)
            api_url = f"http://127.0.0.1:{listening.port}"
            edge = Edge(paths.edge, EdgeOptions(domain=domain, tls="acme" if public else "off", port=options.edge_port))
            # Other machines reach the API through the edge, with its certificate.
            api_host = f"api.{domain}" if public else ""
            parts = await _build(paths, edge, isolation, api_url, api_host, listening.port, releases, stack)
            await answer_on(parts.web, listening.sockets, stack)
            fact = NodeStarted(version=__version__, isolation=isolation, domain=domain)
            await parts.record(fact)
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
                problems=parts.problems,
            )
            log.info("ready: API %s, apps %s, isolation %s", api_url, edge_url, isolation)
            everything = await asked == "everything"
            try:
                await parts.record(NodeStopped(apps=everything))
            except RigError as error:
                # Who stops a node on a full disk wants it stopped all the same.
                log.error("the end of the node is not on the record: %s", error.message)
            await parts.pulse.close()
            await parts.rounds.close()
            await parts.collector.close()
            await parts.deployer.close()
            if everything:
                await parts.supervisor.stop_all()
                await edge.stop()
            await parts.supervisor.close()
            await edge.close()
        life.ended(everything=everything)


class Parts(msgspec.Struct):
    """What :func:`serve` needs of a node that was built."""

    web: web.Application
    deployer: Deployer
    collector: Collector
    rounds: Rounds
    pulse: Pulse
    supervisor: Supervisor
    recorder: Recorder
    writer: Writer
    problems: list[str]
    """What has to be mended by hand."""

    async def record(self, fact: Fact) -> None:
        """Put a fact about the node itself on its record."""
        await self.writer.run(lambda: self.recorder.now("node", fact, target="node", outcome="success"))


async def _build(
    paths: NodePaths,
    edge: Edge,
    isolation: IsolationName,
    api_url: str,
    api_host: str,
    api_port: int,
    releases: int,
    stack: AsyncExitStack,
) -> Parts:
    clock = SystemClock()
    world = World()
    stored = Journal.open(paths.journal, origin="node", projections=(AuditProjection(), ReleasesProjection()))
    stack.callback(stored.close)
    await asyncio.to_thread(world.replay, stored, archived(stored))
    journal = FoldingJournal(stored, world)
    writer = Writer()
    stack.callback(writer.close)
    recorder = Recorder(journal, writer, clock)

    def record_account(*, stream: str, fact: Fact, target: str, outcome: str, actor: str, src: str) -> None:
        writer.wait(lambda: recorder.now(stream, fact, target=target, outcome=outcome, actor=actor, src=src))

    public_url = f"https://{api_host}" if api_host else api_url
    proof = edge_proof(bootstrap_secret(paths.bootstrap_secret))
    accounts = Accounts.open(paths, owner=account_name(user_name()), url=lambda: public_url, record=record_account)
    stack.callback(accounts.close)
    stores = Stores(paths)
    stack.callback(stores.close)
    vault = Vault(paths.secrets, NodeKeys(paths.secrets_key))
    stack.callback(vault.close)
    forget_leftovers(vault, world)
    wrong = [f"The secrets of network `{name}` cannot be read: their key is lost. {LOST}" for name in vault.lost()]
    for problem in wrong:
        log.error("%s", problem)
    world.listeners.append(forgetting(vault))
    forget_gone_networks(accounts, world)
    world.listeners.append(forgetting_networks(accounts, stores))
    await edge.start()
    api_route = Route(hostname=api_host, app="", ports=(api_port,), proof=proof) if api_host else None
    routing = Routing(edge, world, api_route)
    driver = ProcessDriver(isolation)
    build_logs = KeptBuildLogs(paths, world)
    builds = KeptBuilds(paths)
    witness = Witness(str(paths.witnessed), stored.key_path)
    evidence = Evidence(lambda: stored)

    def ports_for(principal: Principal) -> Ports:
        return Ports(
            principal,
            world,
            accounts,
            stores,
            deployer,
            build_logs,
            builds,
            collector,
            vault,
            routing,
            witness,
            evidence,
            isolation,
            driver.memory_problem,
        )

    node = Node(journal, world, writer, recorder, ports_for, clock, isolation)
    supervisor = Supervisor(driver, paths, on_change=node.on_instance_change)
    workshop = Workshop(
        world=world,
        paths=paths,
        driver=driver,
        supervisor=supervisor,
        routing=routing,
        stores=stores,
        record=recorder,
        secrets=vault,
    )
    deployer = Deployer(workshop, releases)
    collector = Collector(world, paths, stores, deployer, writer, isolation)

    keeping = Keeping()

    async def collect_round() -> None:
        collection = await collector.collect(keeping)
        if collection.garbage:
            fact = fact_of(collection, keeping)
            await writer.run(lambda: recorder.now("node", fact, target="node", outcome="success"))

    rounds = Rounds(collect_round)
    await deployer.start()
    node.attach(deployer, rounds)
    rounds.start()
    pulse = Pulse(lambda: writer.run(stored.beat))
    pulse.start()

    async def authenticate(request: web.Request) -> Principal:
        return await accounts_http.authenticate(request, accounts)

    async def authorize(request: web.Request, network: str) -> None:
        """Bundles may be sent by whoever may deploy to the network, or make it. Whether it is there is not asked: the
        answer would tell those who may not know."""
        principal = await authenticate(request)
        try:
            Policy(principal).require("deploy", network, network)
        except RigError as error:
            if error.code == "forbidden":
                await recorder.denied("bundle.send", network, error, api.stamp(request, principal))
            raise

    application = web.Application(middlewares=[problems], client_max_size=2 << 20)
    origin = Origin(proof)
    api = Api(node, authenticate, clock, origin)
    api.add_routes(application)
    accounts_http.add_routes(application, accounts, origin)
    bundles_http.add_routes(application, stores, authorize)
    document = openapi.document(__version__)
    application.router.add_get("/v1/openapi.json", lambda request: _json(document))
    return Parts(application, deployer, collector, rounds, pulse, supervisor, recorder, writer, wrong)


async def _json(document: object) -> web.Response:
    return web.json_response(document)


def user_name() -> str:
    """Name of the user that the node runs as; its number where it has none, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
