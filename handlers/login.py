"""Log in to a platform."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from handlers.observe import sync
from rig.contract.accounts import Context, LoggedIn, Login, TokenPair
from rig.contract.replica import RegisterJournal
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError

EMBEDDED = "local"
"""Name of the context of the node on this machine."""


def handle(command: Login, ctx: ClientContext) -> LoggedIn:
    logins, contexts = ctx.ports.logins, ctx.ports.contexts
    url, own = _address(command, ctx)
    if command.token_stdin:
        pair = logins.read_token()
    elif own:
        pair = logins.as_owner(url)
    else:
        pair = _by_browser(url, command.browser, ctx)
    account = logins.account(url, pair.access_token)
    context = msgspec.structs.replace(_context(command, url, own, ctx), account=account.name)
    context = logins.keep(context, pair)
    contexts.use(context.name)
    if _is_current(context.name, ctx):
        _register_journal(ctx)
        _observe(ctx)
    else:
        ctx.warn(f"Commands do not go to `{context.name}`: `--context`, RIG_URL or RIG_CONTEXT names another platform.")
    return LoggedIn(context=context.name, url=url, account=account, store=context.store)


def _address(command: Login, ctx: ClientContext) -> tuple[str, bool]:
    """Where to log in, and whether that is the node of this machine, which asks nothing."""
    logins, contexts = ctx.ports.logins, ctx.ports.contexts
    if command.url:
        url = logins.address(command.url)
        return url, _is_embedded(url, ctx)
    chosen = contexts.chosen()
    if chosen is not None:
        return chosen.url, _is_embedded(chosen.url, ctx)
    own = logins.embedded()
    return (own, True) if own else (contexts.current().url, False)


def _context(command: Login, url: str, own: bool, ctx: ClientContext) -> Context:
    """The context that this login renews, or a new one."""
    contexts = ctx.ports.contexts
    if command.name:
        same = (known for known in contexts.all() if known.name == command.name and known.url == url)
        return next(same, Context(name=command.name, url=url))
    for known in (contexts.chosen(), contexts.by_url(url)):
        if known is not None and known.url == url:
            return known
    return Context(name=EMBEDDED if own else contexts.free_name(url), url=url)


def _is_embedded(url: str, ctx: ClientContext) -> bool:
    try:
        return ctx.ports.logins.embedded() == url
    except RigError:
        # A node that does not run, or whose state is broken, is no reason not to log in elsewhere.
        return False


def _by_browser(url: str, browser: bool, ctx: ClientContext) -> TokenPair:
    """The device grant: whoever holds the browser need not sit at this machine."""
    asked = ctx.ports.logins.ask(url)
    terminal = ctx.ports.terminal
    terminal.tell(f"Your code is {asked.user_code}. Approve it on {asked.verification_uri}")
    if browser and terminal.interactive and ctx.ports.open_browser(asked.verification_uri_complete):
        terminal.note("The page is open in your browser.")
    ctx.progress.step("Waiting for your approval")
    return ctx.ports.logins.await_approval(url, asked)


def _is_current(name: str, ctx: ClientContext) -> bool:
    try:
        return ctx.ports.contexts.current().name == name
    except RigError:
        return False


def _register_journal(ctx: ClientContext) -> None:
    """From now on the platform can witness what this machine's journal signs. The login is good without that, too."""
    try:
        journal = ctx.journal.info()
        if journal.verifier:
            ctx.ports.perform(RegisterJournal(origin=journal.origin, key=journal.verifier))
    except RigError as error:
        ctx.warn(f"The platform does not know the key of this machine's journal yet: {error.message}")


def _observe(ctx: ClientContext) -> None:
    """Begin to keep a replica of the platform's record, or go on with it.

    One that the platform contradicts is put aside: whoever logs in anew is told of it, and trusts the platform again.
    """
    replica = ctx.ports.replica
    if replica is None:
        return
    try:
        sync(ctx, replica, on_the_way=True)
        contradiction = replica.forked() or ""
    except RigError as error:
        if error.code != "journal_forked":
            return  # there is another day for it
        contradiction = error.message
    if contradiction:
        kept = replica.begin_anew(ctx.stamp.at)
        ctx.warn(f"{contradiction} What it was is kept in {kept}; a new replica begins.")
        with suppress(RigError):
            sync(ctx, replica, on_the_way=True)
