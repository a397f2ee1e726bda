"""`rig list apps|networks|members|tokens|vars|secrets`."""

from __future__ import annotations

from rig.cli.humanize import moment, who
from rig.cli.output import Output
from rig.cli.pages import more
from rig.cli.variables import show_secrets, show_vars
from rig.cli.verb import Verb
from rig.contract.apps import AppPage, ListApps
from rig.contract.members import ListMembers, MemberPage
from rig.contract.networks import ListNetworks, NetworkPage
from rig.contract.secrets import ListSecrets
from rig.contract.tokens import ListTokens, TokenPage
from rig.contract.variables import ListVars


def show_apps(page: AppPage, out: Output) -> None:
    rows = [(app.name, app.status, f"v{app.version}" if app.version else "", app.url) for app in page.apps]
    out.table(("APP", "STATUS", "RELEASE", "URL"), rows, empty="No apps yet. Deploy one: rig deploy --create")
    more(page.next, out)


def show_networks(page: NetworkPage, out: Output) -> None:
    rows = [(network.name, network.apps, network.role, network.domain) for network in page.networks]
    out.table(("NETWORK", "APPS", "ROLE", "DOMAIN"), rows, empty="No networks yet. Make one: rig create network NAME")
    more(page.next, out)


def show_members(page: MemberPage, out: Output) -> None:
    rows = [
        (member.name, member.role, "all networks" if member.network == "*" else member.network, member.state)
        for member in page.members
    ]
    out.table(("NAME", "ROLE", "IN", "STATE"), rows)
    more(page.next, out)


def show_tokens(page: TokenPage, out: Output) -> None:
    rows = [
        (token.name, token.network, token.role, moment(token.expires_at), moment(token.used_at), who(token.created_by))
        for token in page.tokens
    ]
    headers = ("TOKEN", "NETWORK", "ROLE", "UNTIL", "LAST USED", "MADE BY")
    out.table(headers, rows, empty="No tokens. Make one: rig create token NAME --network NETWORK")
    more(page.next, out)


VERBS = {
    "apps": Verb(command=ListApps, render=show_apps, rows=lambda page: page.apps),
    "networks": Verb(command=ListNetworks, render=show_networks, rows=lambda page: page.networks),
    "members": Verb(command=ListMembers, render=show_members, rows=lambda page: page.members),
    "tokens": Verb(command=ListTokens, render=show_tokens, rows=lambda page: page.tokens),
    "vars": Verb(command=ListVars, render=show_vars, rows=lambda page: page.vars),
    "secrets": Verb(command=ListSecrets, render=show_secrets, rows=lambda page: page.secrets),
}
