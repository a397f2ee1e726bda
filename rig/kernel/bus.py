"""The bus: every invocation is a typed command, and every command leaves a trace.

The middleware stands in one fixed order, in :data:`MIDDLEWARE`: look up the idempotency key, append the intent, append
the outcome around policy and handler. The same bus serves the command line and the node; they differ in their ports,
their policy and the package that holds their handlers.

A handler is found by the name of its command: ``CreateNetwork`` is handled by ``handle(command, context)`` in the
module ``create_network`` of the handlers' package, which is imported when it is needed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Coroutine
from functools import cache
from importlib import import_module
from typing import Any, Generic, TypeVar, cast

import msgspec

from events.command import CommandCompleted, CommandReceived
from rig.contract.base import Command, Effect, Reply, effect_of, option_of, tag_of
from rig.contract.errors import ERRORS
from rig.kernel.context import Context, P
from rig.kernel.disk import disk_error
from rig.kernel.errors import LOGGED_OUT, RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Draft, Journal, OutboxRow, Progress, Settled, Stamp
from rig.kernel.processes import start_time

R = TypeVar("R", bound=Reply)
Handler = Callable[[Any, Context[P]], Reply | Coroutine[Any, Any, Reply]]
Policy = Callable[[Command, Stamp], None]


class Dispatch(Generic[P]):
    """One command on its way through the middleware."""

    def __init__(self, command: Command, context: Context[P], stream: str, fingerprint: str) -> None:
        self.command = command
        self.context = context
        self.stream = stream
        self.fingerprint = fingerprint
        self.effect: Effect = effect_of(command)
        self.again = False
        """Whether this is another try at an intent that is on the record already."""

    @property
    def stamp(self) -> Stamp:
        return self.context.stamp


Next = Callable[[Dispatch[P]], Reply]


class Bus(Generic[P]):
    """Dispatches commands. ``policy`` raises `RigError` ``forbidden`` where the actor may not.

    ``authoritative`` is the node's bus: facts that it cannot record did not happen, so the command fails; queries
    leave no trace of their own, since the asking client has recorded them, unless they were denied. On a client the
    platform has the last word: an outcome that cannot be recorded is a warning, and stays ``unknown``.
    """

    def __init__(
        self,
        journal: Journal,
        ports: P,
        progress: Progress,
        *,
        handlers: str,
        policy: Policy = lambda command, stamp: None,
        authoritative: bool = False,
    ) -> None:
        self.journal = journal
        self.ports = ports
        self.progress = progress
        self.handlers = handlers
        self.policy = policy
        self.authoritative = authoritative

    def dispatch(self, command: Command, stamp: Stamp) -> tuple[Reply, list[str]]:
        """Run one command to its reply and the warnings that go with it. Raises `RigError`, and nothing else."""
        context = Context(stamp, self.journal, self.ports, self.progress)
        dispatch = Dispatch(command, context, f"command:{stamp.id}", self._fingerprint(command))
        proceed: Next[P] = self._handle
        for middleware in reversed(MIDDLEWARE):
            proceed = _bind(middleware, self, proceed)
        try:
            return proceed(dispatch), context.warnings
        except RigError as error:
            error.warnings = [*context.warnings, *error.warnings]
            raise

    def _fingerprint(self, command: Command) -> str:
        """A plain hash of a short secret can be guessed, so where there is one the hash is keyed."""
        plain = fingerprint(command)
        return self.journal.digest_secret(plain) if holds_secret(command) else plain

    def _handle(self, dispatch: Dispatch[P]) -> Reply:
        """The innermost step: policy, then the handler."""
        self.policy(dispatch.command, dispatch.stamp)
        handler = self._find(type(dispatch.command))
        answer = handler(dispatch.command, dispatch.context)
        if isinstance(answer, Reply):
            return answer
        import asyncio

        return asyncio.run(answer)

    def _find(self, command: type[Command]) -> Handler[P]:
        module = command.__dict__.get("handler") or f"{self.handlers}.{snake_case(command.__name__)}"
        return cast("Handler[P]", import_module(module).handle)


def recall(bus: Bus[P], dispatch: Dispatch[P], proceed: Next[P]) -> Reply:
    """The same key and command get the first result; the same key with another command is refused.

    A first try that failed for a passing reason, or whose end is not on the record, is tried again under the same
    stream, so that it stays one intent.
    """
    key = dispatch.stamp.key
    first = bus.journal.by_idem(key) if key else None
    if first is None:
        return proceed(dispatch)
    if not isinstance(first.fact, CommandReceived) or first.fact.fingerprint != dispatch.fingerprint:
        raise RigError(
            "key_reused", "This idempotency key was used for another request.", "Use a new key for a new request."
        )
    dispatch.stream, dispatch.again = first.stream, True
    last = bus.journal.stream(first.stream)[-1]
    if isinstance(last.fact, CommandCompleted):
        if last.fact.exit == 0:
            return _kept_reply(dispatch.command, last.fact)
        if last.fact.code in ERRORS and not ERRORS[last.fact.code].retryable:
            raise RigError(last.fact.code, last.fact.message, last.fact.hint)
    return proceed(dispatch)


def intend(bus: Bus[P], dispatch: Dispatch[P], proceed: Next[P]) -> Reply:
    """Intent before effect: a change that cannot be recorded does not happen."""
    command, stamp = dispatch.command, dispatch.stamp
    if dispatch.effect != "query":
        fact = CommandReceived(
            command=tag_of(command),
            arguments=public_arguments(command),
            fingerprint=dispatch.fingerprint if stamp.key else "",
            client=stamp.client,
            context=stamp.context,
            process="" if bus.authoritative else f"{os.getpid()}:{start_time(os.getpid())}",
        )
        outbox = None
        if dispatch.effect == "change" and not bus.authoritative:
            body = msgspec.json.encode({"command": fact.command, **fact.arguments})
            outbox = OutboxRow(idem=stamp.id, key=target_of(command), fingerprint=dispatch.fingerprint, body=body)
        bus.journal.append(
            [Draft(stream=dispatch.stream, fact=fact, target=target_of(command), outcome="unknown")],
            stamp,
            idem="" if dispatch.again else stamp.key,
            outbox=outbox,
        )
        failpoint("bus.intended")
    return proceed(dispatch)


def conclude(bus: Bus[P], dispatch: Dispatch[P], proceed: Next[P]) -> Reply:
    """Outcome after effect, whichever it is: facts, outcome and the outbox row's end in one transaction."""
    silent = bus.authoritative and dispatch.effect == "query"
    try:
        reply = proceed(dispatch)
        if not silent:
            failpoint("bus.handled")
            _record_outcome(bus, dispatch, None, reply)
            failpoint("bus.concluded")
        return reply
    except BaseException as raised:
        error = as_rig_error(raised)
        if dispatch.effect == "change" and not bus.authoritative and not error.hint and outcome_of(error) == "unknown":
            error.hint = "The next command that reaches the platform tells what became of it."
        dispatch.context.drafts.clear()
        dispatch.context.expect.clear()
        if not silent or error.code == "forbidden":
            _record_outcome(bus, dispatch, error, None)
        raise error from raised


Middleware = Callable[[Bus[Any], Dispatch[Any], Next[Any]], Reply]

MIDDLEWARE: tuple[Middleware, ...] = (recall, intend, conclude)


def _bind(middleware: Middleware, bus: Bus[P], proceed: Next[P]) -> Next[P]:
    return lambda dispatch: middleware(bus, dispatch, proceed)


def _record_outcome(bus: Bus[P], dispatch: Dispatch[P], error: RigError | None, reply: Reply | None) -> None:
    command, stamp, context = dispatch.command, dispatch.stamp, dispatch.context
    keep = stamp.key and dispatch.effect == "change" and command.keeps_reply and reply is not None
    fact = CommandCompleted(
        command=tag_of(command),
        exit=error.exit if error else 0,
        code=error.code if error else "",
        message=error.message if error else "",
        hint=error.hint if error else "",
        arguments=public_arguments(command) if dispatch.effect == "query" else {},
        result=msgspec.to_builtins(reply) if keep else {},
        client=stamp.client,
        context=stamp.context,
    )
    settle = None
    if dispatch.effect == "change" and not bus.authoritative:
        settle = Settled(idem=stamp.id, state=delivery_of(error))
    target = target_of(command) or context.target
    draft = Draft(stream=dispatch.stream, fact=fact, target=target, outcome=outcome_of(error))
    facts = bool(context.drafts)
    try:
        bus.journal.append([*context.drafts, draft], stamp, expect=context.expect, settle=settle)
    except RigError as unrecorded:
        if error is None and bus.authoritative and facts:
            raise
        context.warn(f"The outcome could not be written to the journal: {unrecorded.message}")


def _kept_reply(command: Command, fact: CommandCompleted) -> Reply:
    if not fact.result:
        raise RigError(
            "conflict",
            "This request was carried out before; its answer held a secret and was not kept.",
            "Ask for it again with a new idempotency key.",
        )
    return msgspec.convert(fact.result, command.reply)


def as_rig_error(raised: BaseException) -> RigError:
    """Whatever was raised, as the error that the user sees. Anything unforeseen is ``internal``: a bug in rig."""
    if isinstance(raised, RigError):
        return raised
    if isinstance(raised, KeyboardInterrupt):
        return RigError("cancelled", "Interrupted.")
    if isinstance(raised, SystemExit):
        return RigError("terminated", "Ended by a signal.")
    return disk_error(raised) or RigError(
        "internal",
        f"rig failed in a way it should not: {type(raised).__name__}: {raised}.",
        "Run it again with `-v` for the trace, and report it.",
    )


def outcome_of(error: RigError | None) -> str:
    """The audit outcome of an ending: ``success``, ``denied``, ``unknown``, ``error`` or ``failure``."""
    if error is None:
        return "success"
    if error.unclear or (error.code in {"interrupted", "cancelled", "terminated", "pending"} and not error.declined):
        return "unknown"
    if error.code in LOGGED_OUT or error.code == "forbidden":
        return "denied"
    return "error" if error.code == "internal" else "failure"


def delivery_of(error: RigError | None) -> str:
    """What became of the outbox row: whether the platform took the command, refused it, or nobody knows."""
    if error is None or (error.exit in {1, 8} and not error.unclear):
        return "delivered"
    return "unknown" if outcome_of(error) in {"unknown", "error"} else "refused"


def snake_case(name: str) -> str:
    """``CreateNetwork`` → ``create_network``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def target_of(command: Command) -> str:
    """The resource that a command is about, for the record: its app, network or name."""
    for field in ("app", "network", "name", "target"):
        value = getattr(command, field, "")
        if isinstance(value, str) and value:
            return value
    return ""


def public_arguments(command: Command) -> dict[str, Any]:
    """The command's fields as JSON values, without its defaults and without what is marked secret."""
    fields: dict[str, Any] = msgspec.to_builtins(command)
    fields.pop("type", None)
    for field in msgspec.structs.fields(command):
        if field.encode_name in fields and option_of(_annotations(type(command))[field.name]).secret:
            fields.pop(field.encode_name)
    return fields


def holds_secret(command: Command) -> bool:
    """Whether a field that was given is marked secret."""
    given = public_arguments(command)
    return any(name not in given for name in msgspec.to_builtins(command) if name != "type")


@cache
def _annotations(command: type[Command]) -> dict[str, Any]:
    from typing import get_type_hints

    return get_type_hints(command, include_extras=True)


def fingerprint(command: Command) -> str:
    """SHA-256 over the command's tag and fields, in canonical form."""
    return hashlib.sha256(msgspec.json.encode(command, order="sorted")).hexdigest()
