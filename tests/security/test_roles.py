"""Every route with every role: what is allowed passes, what is not is refused, and what is hidden is not told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import msgspec
import pytest

from rig.contract import (
    accounts,
    apps,
    collect,
    configuration,
    evidence,
    intents,
    members,
    networks,
    promotion,
    releases,
    replica,
    secrets,
    tokens,
    variables,
)
from rig.contract.api import GRANTS, ROUTES, Route
from rig.contract.base import Command, tag_of
from rig.contract.bundles import Ask, Commit, bundle_path
from rig.contract.routing import request_of
from tests.e2e.rig import User, running
from tests.security.people import Answer, Browser, join, owner_token
from tests.support import below

SEEN, HIDDEN, MISSING = "demo", "veiled", "absent"
"""A network in which everybody but the stranger has a role, one in which none of them has, and one that is not."""
ROLES = (*sorted(GRANTS), "stranger")
BUNDLE = "a" * 64

SAMPLES: dict[type[Command], Callable[[str, str], Command]] = {
    accounts.Whoami: lambda network, app: accounts.Whoami(),
    accounts.Invite: lambda network, app: accounts.Invite(name="mallory", network=network, role="owner"),
    replica.RegisterJournal: lambda network, app: replica.RegisterJournal(origin="o", key="none"),
    replica.ListRecords: lambda network, app: replica.ListRecords(),
    replica.WitnessCheckpoint: lambda network, app: replica.WitnessCheckpoint(origin="o", checkpoint="none"),
    networks.CreateNetwork: lambda network, app: networks.CreateNetwork(name=network),
    networks.ListNetworks: lambda network, app: networks.ListNetworks(),
    networks.ShowNetwork: lambda network, app: networks.ShowNetwork(name=network),
    networks.ShowNetworkStatus: lambda network, app: networks.ShowNetworkStatus(name=network),
    networks.UpdateNetwork: lambda network, app: networks.UpdateNetwork(name=network, description="seen"),
    networks.DeleteNetwork: lambda network, app: networks.DeleteNetwork(name=network),
    variables.ListNetworkVars: lambda network, app: variables.ListNetworkVars(name=network),
    variables.ChangeNetworkVariables: lambda network, app: variables.ChangeNetworkVariables(
        name=network, set_vars={"A": "1"}, set_secrets={"S": "1"}
    ),
    variables.ListVars: lambda network, app: variables.ListVars(app=f"{network}/{app}"),
    variables.ChangeVariables: lambda network, app: variables.ChangeVariables(
        app=f"{network}/{app}", set_vars={"A": "1"}, set_secrets={"S": "1"}
    ),
    secrets.ListNetworkSecrets: lambda network, app: secrets.ListNetworkSecrets(name=network),
    secrets.RevealNetworkSecrets: lambda network, app: secrets.RevealNetworkSecrets(name=network),
    secrets.RevealSecrets: lambda network, app: secrets.RevealSecrets(app=f"{network}/{app}"),
    evidence.ArchiveNode: lambda network, app: evidence.ArchiveNode(before="7d"),
    secrets.RotateKeys: lambda network, app: secrets.RotateKeys(),
    secrets.ListSecrets: lambda network, app: secrets.ListSecrets(app=f"{network}/{app}"),
    configuration.ShowNetworkConfig: lambda network, app: configuration.ShowNetworkConfig(network=network),
    configuration.ApplyNetworkConfig: lambda network, app: configuration.ApplyNetworkConfig(
        network=network, document=configuration.Configuration(network=network, env={"A": "1"})
    ),
    apps.CreateApp: lambda network, app: apps.CreateApp(app=f"{network}/{app}"),
    apps.ListApps: lambda network, app: apps.ListApps(),
    apps.ShowApp: lambda network, app: apps.ShowApp(app=f"{network}/{app}"),
    apps.UpdateApp: lambda network, app: apps.UpdateApp(app=f"{network}/{app}", scale={"web": 2}),
    apps.DeleteApp: lambda network, app: apps.DeleteApp(app=f"{network}/{app}"),
    apps.StartApp: lambda network, app: apps.StartApp(app=f"{network}/{app}"),
    apps.StopApp: lambda network, app: apps.StopApp(app=f"{network}/{app}"),
    apps.RestartApp: lambda network, app: apps.RestartApp(app=f"{network}/{app}"),
    apps.ShowAppStatus: lambda network, app: apps.ShowAppStatus(app=f"{network}/{app}"),
    members.CreateMember: lambda network, app: members.CreateMember(network=network, name="nobody"),
    members.ListMembers: lambda network, app: members.ListMembers(network=network),
    members.ShowMember: lambda network, app: members.ShowMember(network=network, name="nobody"),
    members.UpdateMember: lambda network, app: members.UpdateMember(network=network, name="nobody", role="owner"),
    members.DeleteMember: lambda network, app: members.DeleteMember(network=network, name="nobody"),
    tokens.CreateToken: lambda network, app: tokens.CreateToken(name=f"by-{app}", network=network, role="owner"),
    tokens.ListTokens: lambda network, app: tokens.ListTokens(),
    tokens.ShowToken: lambda network, app: tokens.ShowToken(name="not-there"),
    tokens.DeleteToken: lambda network, app: tokens.DeleteToken(name="not-there"),
    collect.CollectGarbage: lambda network, app: collect.CollectGarbage(dry_run=True),
    intents.ShowIntent: lambda network, app: intents.ShowIntent(key="not-used-by-anybody"),
    releases.StartRelease: lambda network, app: releases.StartRelease(
        app=f"{network}/{app}", bundle=BUNDLE, create=True
    ),
    releases.ListReleases: lambda network, app: releases.ListReleases(app=f"{network}/{app}"),
    releases.ShowRelease: lambda network, app: releases.ShowRelease(app=f"{network}/{app}", version=1),
    releases.Rollback: lambda network, app: releases.Rollback(app=f"{network}/{app}"),
    promotion.ShowPromotion: lambda network, app: promotion.ShowPromotion(
        app=f"{network}/{app}", source=f"{network}/site"
    ),
    promotion.StartPromotion: lambda network, app: promotion.StartPromotion(
        app=f"{network}/{app}", source=f"{network}/site", version=1
    ),
    releases.ShowBuildLog: lambda network, app: releases.ShowBuildLog(app=f"{network}/{app}"),
}


class World(msgspec.Struct, frozen=True):
    """A node with people in every role."""

    user: User
    tokens: dict[str, str]

    def send(self, role: str, command: Command, **headers: str) -> Answer:
        request = request_of(command)
        path = request.path + ("?" + urlencode(request.query, doseq=True) if request.query else "")
        body = None if request.body is None else json.dumps(request.body).encode()
        return Browser(self.user, self.tokens[role]).ask(request.method, path, body, headers)

    def bundle(self, role: str, network: str, leaf: str, body: bytes) -> Answer:
        return Browser(self.user, self.tokens[role]).ask("POST", bundle_path(network, leaf), body)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("roles") / "home", "--isolation", "none") as user:
        for network in (SEEN, HIDDEN, "elsewhere"):
            user.ok("create", "network", network)
        for app in (f"{SEEN}/site", f"{HIDDEN}/site", *(f"{SEEN}/of-{role}" for role in ROLES)):
            user.ok("create", "app", app)
        tokens = {role: join(user, f"the-{role}", SEEN, role) for role in sorted(GRANTS)}
        tokens["stranger"] = join(user, "the-stranger", "elsewhere", "owner")
        yield World(user, tokens | {"nobody": "", "node-owner": owner_token(user)})


def test_there_is_a_sample_of_every_route() -> None:
    assert {route.command for route in ROUTES} == set(SAMPLES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: tag_of(route.command))
def test_without_a_token_nothing_answers(world: World, route: Route) -> None:
    for token in ("", "rig_at." + "A" * 43, "rig_rt." + "A" * 43):
        asked = SAMPLES[route.command](SEEN, "site")
        answer = World(world.user, {"nobody": token}).send("nobody", asked)
        assert (answer.status, answer.json["code"]) == (401, "login_required")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: tag_of(route.command))
def test_a_role_may_what_it_may(world: World, route: Route, role: str) -> None:
    answer = world.send(role, SAMPLES[route.command](SEEN, f"of-{role}"))
    granted = GRANTS.get(role, frozenset()) if route.scope != "platform" else frozenset()
    if route.permission == "anyone" or route.permission in granted:
        assert not denied(answer), answer.text
    elif route.scope == "platform" or role != "stranger":
        assert (answer.status, answer.json["code"]) == (403, "forbidden")
    else:
        assert (answer.status, answer.json["code"]) == (404, "not_found")
        assert denied(answer)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: tag_of(route.command))
def test_what_is_hidden_looks_like_what_is_missing(world: World, route: Route, role: str) -> None:
    hidden = world.send(role, SAMPLES[route.command](HIDDEN, "site"))
    missing = world.send(role, SAMPLES[route.command](MISSING, "site"))
    assert hidden.status == missing.status
    assert said_by_others(hidden, role).replace(HIDDEN, MISSING) == said_by_others(missing, role)
    assert route.scope == "platform" or hidden.status == 404
    assert route.permission != "anyone" or HIDDEN not in said_by_others(hidden, role)


def said_by_others(answer: Answer, role: str) -> str:
    """An answer without the records of what the asker tried: a name that they typed tells them nothing."""
    if "records" not in answer.json:
        return answer.text
    records = [json.loads(record["rec"]) for record in answer.json["records"] if record.get("rec")]
    return json.dumps([record for record in records if record["actor"] != f"user:the-{role}"])


@pytest.mark.parametrize("role", ROLES)
def test_bundles_are_for_those_who_deploy(world: World, role: str) -> None:
    calls = (
        ("/negotiate", msgspec.msgpack.encode(Ask(contents=b"\0" * 32))),
        ("/packs", b""),
        ("", msgspec.json.encode(Commit(bundle=BUNDLE))),
    )
    for leaf, body in calls:
        answer = world.bundle(role, SEEN, leaf, body)
        if "deploy" in GRANTS.get(role, ()):
            assert answer.status != 403
            assert answer.status == (200 if leaf == "/negotiate" else 422 if leaf else 404)
        else:
            assert answer.status == (404 if role == "stranger" else 403)
        hidden, missing = (world.bundle(role, network, leaf, body) for network in (HIDDEN, MISSING))
        assert (hidden.status, missing.status) == (404, 404)
        assert hidden.text.replace(HIDDEN, MISSING) == missing.text


def test_a_deployment_that_is_denied_at_its_first_request_is_on_the_record(world: World) -> None:
    """What is sent goes before the command that begins a release."""
    asked = ("audit", "--sync", "--denied", "--actor", "the-viewer", "--type", "bundle.send", "-o", "json")
    before = len(world.user.ok(*asked).data["entries"])
    assert world.bundle("viewer", SEEN, "/negotiate", b"").status == 403
    newest, *older = world.user.ok(*asked).data["entries"]
    assert (newest["target"], newest["outcome"], newest["code"]) == (SEEN, "denied", "forbidden")
    assert len(older) == before


@pytest.mark.parametrize("network", ["..%2F..%2Fescaped", "%2e%2e", "demo%2F..%2Fdemo", "demo%0A", "Demo", "%00"])
def test_no_bundle_leaves_its_folder(world: World, network: str) -> None:
    """Not even the node's owner, who may make any network, can name a folder in place of one."""
    before = sorted(path for path in below(world.user.home) if path.is_dir())
    answer = world.bundle("node-owner", network, "", msgspec.json.encode(Commit(bundle=BUNDLE)))
    assert answer.status in (404, 422)
    assert sorted(path for path in below(world.user.home) if path.is_dir()) == before
    assert not (world.user.home.parent / "escaped").exists()


def test_lists_and_their_pages_hold_what_one_may_see(world: World) -> None:
    assert [row["name"] for row in world.send("stranger", networks.ListNetworks()).json["networks"]] == ["elsewhere"]
    assert world.send("stranger", apps.ListApps()).json["apps"] == []
    page = world.send("viewer", networks.ListNetworks(limit=1, after="a")).json
    assert ([row["name"] for row in page["networks"]], page["next"]) == ([SEEN], "")
    seen = world.send("viewer", apps.ListApps(limit=1, after=f"{SEEN}/zzz")).json
    assert (seen["apps"], seen["next"]) == ([], "")


@pytest.mark.parametrize("after", ["²", "-1", "1e3", "٣" * 100, "9" * 200, "\0"])
def test_a_place_that_no_page_ended_at_is_no_bug(world: World, after: str) -> None:
    answer = world.send("viewer", releases.ListReleases(app=f"{SEEN}/site", after=after))
    assert answer.status in (200, 422)


@pytest.mark.parametrize(
    "body", [b'{"name":' + b"[" * 400_000, b"\xff", b"[]", b'{"name": 1e999}', b"\0", b'{"a":"\\ud800"}']
)
def test_a_body_that_is_none_is_no_bug(world: World, body: bytes) -> None:
    browser = Browser(world.user, world.tokens["owner"])
    for path in ("/v1/networks", bundle_path(SEEN), bundle_path(SEEN, "/negotiate"), bundle_path(SEEN, "/packs")):
        answer = browser.ask("POST", path, body)
        assert 400 <= answer.status < 500, (path, answer.text)
    assert browser.ask("GET", "/v1/networks").status == 200


def test_an_idempotency_key_is_its_users_own(world: World) -> None:
    """Who guesses a key gets no answer that was given to somebody else."""
    made = world.send("deployer", apps.CreateApp(app=f"{SEEN}/keyed"), **{"Idempotency-Key": "k-1"})
    again = world.send("deployer", apps.CreateApp(app=f"{SEEN}/keyed"), **{"Idempotency-Key": "k-1"})
    assert (made.status, again.json) == (201, made.json)
    assert world.send("viewer", apps.CreateApp(app=f"{SEEN}/keyed"), **{"Idempotency-Key": "k-1"}).status == 403
    assert world.send("stranger", apps.CreateApp(app=f"{SEEN}/keyed"), **{"Idempotency-Key": "k-1"}).status == 404
    assert world.send("owner", apps.CreateApp(app=f"{SEEN}/keyed"), **{"Idempotency-Key": "k-1"}).status == 409
    used, unused = (world.send("auditor", intents.ShowIntent(key=key)) for key in ("k-1", "k-none"))
    assert (used.status, used.text) == (unused.status, unused.text.replace("k-none", "k-1"))


def test_a_query_does_not_replace_what_the_path_names(world: World) -> None:
    browser = Browser(world.user, world.tokens["viewer"])
    for query in ("app=veiled/site", "name=veiled", "network=veiled"):
        answer = browser.ask("GET", f"/v1/apps/{SEEN}/site?{query}")
        assert answer.status == 422
    owner = Browser(world.user, world.tokens["owner"])
    assert owner.ask("DELETE", f"/v1/networks/elsewhere?name={SEEN}").status == 422
    assert owner.ask("GET", f"/v1/networks/{SEEN}").status == 200


def denied(answer: Answer) -> bool:
    """Whether the policy refused it, and no handler was asked."""
    hidden = answer.status == 404 and answer.json["hint"] == "`rig list networks` shows those you may see."
    return answer.status in (401, 403) or hidden
