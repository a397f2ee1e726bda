"""One invocation, from argv to the exit code: find the verb, parse, dispatch, print."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Any

from rig.cli.globals import GlobalOptions, take_word, wants_json
from rig.cli.output import Output
from rig.cli.verb import Verb, Verbs
from rig.contract.base import tag_of
from rig.kernel.errors import RigError
from rig.verbs import VERBS


def run(argv: list[str]) -> int:
    """Carry out one command line; gives its exit code. Never raises."""
    output = Output("json" if wants_json(argv) else "table")
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run(argv, output)
    except RigError as error:
        output.failure("", error)
        return error.exit
    except KeyboardInterrupt:
        output.failure("", RigError("cancelled", "Interrupted."))
        return 130
    except BrokenPipeError:
        # Who read our output has gone. What is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        _flush()


def _run(argv: list[str], output: Output) -> int:
    shared, name, rest = take_word(argv)
    if not name:
        raise RigError("usage", "Which verb?", "See `rig --help`.")
    verbs = find_verbs(name)
    noun, rest = find_noun(name, verbs, rest)
    if noun is None:
        output.line(nouns_help(name, verbs))
        return 0
    verb = verbs[noun]
    prog = f"rig {name} {noun}".rstrip()

    from rig.cli.adapter import parse

    parsed = parse(verb.command, prog, [*shared, *rest], confirms=verb.question is not None)
    if parsed is None:
        return 0
    given, options, sure = parsed
    return _dispatch(verb, prog, given, options, sure=sure)


def _dispatch(verb: Verb, prog: str, given: dict[str, Any], options: GlobalOptions, *, sure: bool) -> int:
    from rig.bootstrap import Client
    from rig.cli.adapter import convert
    from rig.cli.ask import Terminal
    from rig.cli.naming import resolve_names
    from rig.cli.progress import progress_for

    output = Output(options.format, query=options.query, quiet=options.quiet, verbose=options.verbose)
    progress = progress_for(output)
    terminal = Terminal(output, may_ask=not options.no_input and options.format == "table")
    kind = verb.command.kind
    warnings: list[str] = []
    try:
        with Client(
            context=options.context,
            config=options.config,
            flags={"output": options.output, "color": "never" if options.no_color else ""},
            progress=progress,
            terminal=terminal,
        ) as client:
            output = client_output(output, options, client.settings)
            command = convert(verb.command, resolve_names(verb.command, given, client), prog)
            if verb.question is not None and not sure:
                terminal.confirm(verb.question(command), flag="--yes")
            reply, warnings = client.dispatch(command)
    except BaseException as raised:
        progress.close()
        if not isinstance(raised, (RigError, KeyboardInterrupt)):
            raise
        error = raised if isinstance(raised, RigError) else RigError("cancelled", "Interrupted.")
        if options.verbose:
            _trace(error)
        output.failure(kind, error, warnings)
        return error.exit
    progress.close()
    for warning in warnings:
        progress.warn(warning)
    if output.format != "table":
        output.reply(kind or tag_of(command), reply, warnings, verb.rows(reply) if verb.rows else None)
    elif output.query:
        output.value(reply)
    else:
        verb.render(reply, output)
    return verb.exit_code(reply)


def find_verbs(name: str) -> Verbs:
    """The verbs of a name: ours, else those of an installed plug-in. Raises `RigError` ``usage``."""
    if name in VERBS:
        verbs: Verbs = import_module(VERBS[name][0]).VERBS
        return verbs
    from rig.cli.plugins import plugin_verbs

    found = plugin_verbs(name)
    if found is not None:
        return found
    import difflib

    near = difflib.get_close_matches(name, VERBS, n=1)
    raise RigError(
        "usage", f"There is no verb `{name}`.", f"Did you mean `rig {near[0]}`?" if near else "`rig --help` lists them."
    )


def find_noun(name: str, verbs: Verbs, rest: list[str]) -> tuple[str | None, list[str]]:
    """The noun, as `app` in `rig create app`, and argv without it; None where help for all nouns was asked for."""
    if "" in verbs:
        return (rest[0], rest[1:]) if rest and rest[0] in verbs else ("", rest)
    shared, noun, tail = take_word(rest)
    if noun in verbs:
        return noun, [*shared, *tail]
    # `rig list app` and `rig create networks` are what people type.
    for near in (noun + "s", noun.removesuffix("s")):
        if near in verbs and noun:
            return near, [*shared, *tail]
    if not noun and ("--help" in tail or "-h" in tail):
        return None, rest
    nouns = ", ".join(verbs)
    said = f"`rig {name}` does not know `{noun}`." if noun else f"`rig {name}` needs to know what."
    raise RigError("usage", said, f"It is one of: {nouns}.")


def nouns_help(name: str, verbs: Verbs) -> str:
    """What `rig create --help` prints."""
    lines = [f"Usage: rig {name} {{{'|'.join(verbs)}}} ...", ""]
    for noun, verb in verbs.items():
        summary = (verb.command.__doc__ or "").strip().splitlines()[0]
        lines.append(f"  rig {name} {noun:<12}{summary}")
    return "\n".join(lines)


def client_output(output: Output, options: GlobalOptions, settings: Any) -> Output:
    """The output once the settings are known; flags and environment have already had their say."""
    if options.output or options.json or os.environ.get("RIG_OUTPUT"):
        return output
    wanted = settings.get("output")
    if wanted in {"", "table"}:
        return output
    return Output(wanted, query=options.query, quiet=options.quiet, verbose=options.verbose)


def _trace(error: RigError) -> None:
    import traceback

    traceback.print_exception(error, file=sys.stderr)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise RigError("terminated", "Ended by SIGTERM.")


def _flush() -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
