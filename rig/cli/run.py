"""One invocation, from argv to the exit code: find the verb, parse, dispatch, print."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO

from rig.cli.globals import GlobalOptions, format_of, take_word, wanted_format
from rig.cli.output import Output
from rig.cli.query import check_query
from rig.cli.text import readable
from rig.cli.verb import Verb, Verbs
from rig.contract.base import tag_of
from rig.contract.errors import ERRORS
from rig.help import help_text
from rig.kernel.errors import ReaderGone, RigError
from rig.stdio import flush
from rig.verbs import VERBS

if TYPE_CHECKING:
    from rig.bootstrap import Client
    from rig.cli.argv import Parsed
    from rig.cli.ask import Terminal
    from rig.kernel.logins import Settings


def run(argv: list[str]) -> int:
    """Carry out one command line; gives its exit code. Never raises."""
    for stream in (sys.stdout, sys.stderr):
        _print_anything(stream)
    signal.signal(signal.SIGTERM, terminate)
    return Invocation(argv).run()


class Invocation:
    """What is known of one command line by now: how it wants to be answered, and which kind of answer it gets."""

    def __init__(self, argv: list[str]) -> None:
        self.argv = argv
        self.output = Output(wanted_format(argv))
        self.kind = ""
        self.endless = False
        """Whether Ctrl-C is how the command is meant to end."""
        self.printing = True
        """Whether all that can go wrong with a file is that our output cannot be written."""

    def run(self) -> int:
        try:
            try:
                code = self._run(readable(self.argv))
                sys.stdout.flush()
            except BrokenPipeError:
                raise
            except BaseException as raised:
                code = self._fail(raised)
            flush()
        except BrokenPipeError:
            # Who read our output has gone; there is nobody left to tell.
            flush()
            return 0
        return code

    def _run(self, argv: list[str]) -> int:
        shared, name, rest = take_word(argv)
        if not name:
            return self._without_verb(rest)
        verbs = find_verbs(name)
        noun, rest = find_noun(name, verbs, rest)
        if noun is None:
            self.output.line(nouns_help(name, verbs))
            return 0
        verb, prog = verbs[noun], f"rig {name} {noun}".rstrip()
        self.kind = kind_of(verb)
        self.endless = verb.live

        from rig.cli.argv import parse

        parsed = parse(verb.command, prog, [*shared, *rest], confirms=verb.question is not None)
        if parsed is None:
            if not noun and len(verbs) > 1:
                self.output.line("\n" + nouns_section("More", name, verbs))
            return 0
        return self._carry_out(verb, prog, parsed)

    def _without_verb(self, rest: list[str]) -> int:
        """`rig -o json --help`, `rig --help deploy`. Raises `RigError` ``usage`` where nobody asks for help."""
        if not rest:
            raise RigError("usage", "Which verb?", "See `rig --help`.")
        if take_word(rest[1:])[1]:
            return self._run([*rest[1:], "--help"])
        self.output.line(help_text().rstrip("\n"))
        return 0

    def _carry_out(self, verb: Verb, prog: str, parsed: Parsed) -> int:
        from rig.bootstrap import Client, user_settings
        from rig.cli.ask import Terminal
        from rig.cli.fields import convert
        from rig.cli.naming import resolve_names
        from rig.cli.progress import progress_for

        self.printing = False
        options = parsed.options
        settings = user_settings(options.config, flags_of(options))
        self.output = output = output_of(options, settings)
        if options.config and tag_of(verb.command) != "settings.set" and not os.path.exists(options.config):
            # The usual file need not be there. One that was named is meant to say something.
            raise RigError(
                "not_found",
                f"There is no settings file {options.config}.",
                f"Make it: `rig settings set KEY VALUE --config {options.config}`.",
            )
        if options.query:
            check_query(options.query)
        if verb.live and output.format not in {"table", "jsonl"}:
            raise RigError("usage", f"What goes on without end is no {output.format}.", "Use `-o jsonl`.")
        progress = progress_for(output)
        terminal = Terminal(output, may_ask=not options.no_input and output.format == "table")
        try:
            with Client(
                settings=settings,
                context=options.context,
                progress=progress,
                terminal=terminal,
                show=lambda item: show_item(verb, item, output),
            ) as client:
                command = convert(verb.command, resolve_names(verb.command, parsed.given, client), prog)
                output.narrowed = bool(getattr(command, "filter", None) or getattr(command, "after", None))
                if verb.question is not None and not parsed.sure:
                    command = agreed(verb, command, terminal, client)
                reply, warnings = client.dispatch(command)
        finally:
            progress.close()
        self.printing = True
        for warning in warnings:
            progress.warn(warning)
        if output.format != "table":
            rows = verb.rows(reply) if verb.rows else None
            columns = columns_of_none(verb, reply, rows) if rows == [] and output.format == "csv" else ()
            output.reply(self.kind, reply, warnings, rows, columns)
        elif output.query:
            output.value(reply)
        else:
            verb.render(reply, output)
        return verb.exit_code(command, reply)

    def _fail(self, raised: BaseException) -> int:
        """Say what went wrong, and give its exit code."""
        from rig.kernel.bus import as_rig_error

        if isinstance(raised, ReaderGone):
            raise BrokenPipeError from raised
        if self.printing and isinstance(raised, OSError):
            error = RigError("failed", f"The output could not be written: {raised.strerror or raised}.")
            self.output.format = "table"  # which says it on stderr alone
        else:
            error = as_rig_error(raised)
        if self.output.verbose:
            import traceback

            traceback.print_exception(raised, file=sys.stderr)
        if error.code == "cancelled" and not error.declined and self.output.stderr.isatty():
            self.output.stderr.write("\n")  # behind the ^C that the terminal shows
        if not (self.endless and error.code == "cancelled" and self.output.format == "table"):
            self.output.failure(self.kind, error)
        return error.exit


def agreed(verb: Verb, command: Any, terminal: Terminal, client: Client) -> Any:
    """The command, once somebody has said yes to it: with the revision of what they were shown.

    Raises `RigError` ``input_required`` or ``cancelled``.
    """
    assert verb.question is not None
    question = verb.question(command)
    if verb.look and verb.seen and terminal.interactive and command.expect == -1:
        from msgspec.structs import replace

        found: Any = client.perform(verb.look(command))
        question = f"{verb.seen(command, found)} {question}"
        command = replace(command, expect=found.revision)
    terminal.confirm(question, flag="--yes", word=verb.word(command) if verb.word else "")
    return command


def show_item(verb: Verb, item: Any, output: Output) -> None:
    """Print one item of a verb's stream."""
    try:
        if verb.item is not None:
            verb.item(item, output)
    except BrokenPipeError as error:
        raise ReaderGone from error


def columns_of_none(verb: Verb, reply: Any, rows: list[Any]) -> list[str]:
    """The header of a list without items: ``rows`` is the empty one."""
    if verb.columns is not None:
        return verb.columns(reply)
    from rig.cli.columns import columns_of

    return columns_of(reply, rows)


def kind_of(verb: Verb) -> str:
    """The ``kind`` of the envelope that answers a verb."""
    return verb.command.kind or tag_of(verb.command)


def flags_of(options: GlobalOptions) -> dict[str, str]:
    """The settings that options override."""
    return {
        "output": "json" if options.json else options.output,
        "color": "never" if options.no_color else "",
        "context": options.context,
    }


def output_of(options: GlobalOptions, settings: Settings) -> Output:
    """The output that flags, environment and settings file ask for."""
    return Output(
        format_of(settings.get("output")),
        query=options.query,
        color={"always": True, "never": False}.get(settings.get("color")),
        quiet=options.quiet,
        verbose=options.verbose,
    )


def find_verbs(name: str) -> Verbs:
    """The verbs of a name: ours, else those of an installed plug-in. Raises `RigError` ``usage``."""
    if name in VERBS:
        verbs: Verbs = import_module(VERBS[name][0]).VERBS
        return verbs
    from rig.cli.plugins import plugin_verbs

    found = plugin_verbs(name)
    if found is not None:
        return found
    from rig.cli.elsewhere import suggestion

    meant = suggestion(name)
    raise RigError(
        "usage", f"There is no verb `{name}`.", f"Did you mean `{meant}`?" if meant else "`rig --help` lists them."
    )


def find_noun(name: str, verbs: Verbs, rest: list[str]) -> tuple[str | None, list[str]]:
    """The noun, as `app` in `rig create app`, and argv without it; None where help for all nouns was asked for."""
    if "" in verbs:
        if rest[:1] == ["app"] and "/" in "".join(rest[1:2]) and _takes_app(verbs[""]):
            return "", rest[1:]  # `rig stop app demo/hello`, as in `rig status app demo/hello`
        return (rest[0], rest[1:]) if rest and rest[0] in verbs else ("", rest)
    shared, noun, tail = take_word(rest)
    if noun in verbs:
        return noun, [*shared, *tail]
    if "/" in noun and "app" in verbs:
        return "app", rest  # `rig status demo/hello`: nothing else has such a name
    # `rig list app` and `rig create networks` are what people type.
    for near in (noun + "s", noun.removesuffix("s")):
        if near in verbs and noun:
            return near, [*shared, *tail]
    if not noun and ("--help" in tail or "-h" in tail):
        return None, rest
    from difflib import get_close_matches

    near_nouns = get_close_matches(noun, verbs, n=1)
    meant = f" Did you mean `rig {name} {near_nouns[0]}`?" if near_nouns else ""
    nouns = ", ".join(verbs)
    if "/" in noun and not meant:
        ways = [f"`rig {name} {each} {noun}`" for each, verb in verbs.items() if _takes_app(verb)]
        meant = f" For an app: {', '.join(ways)}." if ways else ""
    said = f"`rig {name}` does not know `{noun}`." if noun else f"`rig {name}` needs to know what."
    raise RigError("usage", said, f"It is one of: {nouns}.{meant}")


def _takes_app(verb: Verb) -> bool:
    """Whether the first argument of a verb names an app."""
    from rig.cli.fields import fields_of

    first = next((field for field in fields_of(verb.command) if field.option.positional), None)
    return first is not None and first.option.completes == "apps"


def nouns_help(name: str, verbs: Verbs) -> str:
    """What `rig create --help` prints."""
    usage = f"Usage: rig {name} {{{'|'.join(verbs)}}} ..."
    return "\n\n".join(
        [usage, nouns_section("What", name, verbs), f"`rig {name} {next(iter(verbs))} --help` has more."]
    )


def nouns_section(title: str, name: str, verbs: Verbs) -> str:
    """Each noun of a verb, with the first paragraph of its help."""
    from rig.cli.help_page import page_width, section

    about = {noun: (verb.command.__doc__ or "").partition("\n\n")[0] for noun, verb in verbs.items() if noun}
    return section(
        title, [(f"rig {name} {noun}", " ".join(text.split())) for noun, text in about.items()], page_width()
    )


def terminate(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does: by what no retry takes for a failure that may pass."""
    raise SystemExit(ERRORS["terminated"].exit)


def _print_anything(stream: TextIO) -> None:
    """What is no terminal gets UTF-8, as JSON is, and exports whose bytes are hashed, whatever the locale says.

    Where a terminal's encoding lacks a character, its number is printed: output must not fail for an ellipsis.
    """
    if not isinstance(stream, TextIOWrapper):
        return
    if stream.isatty():
        stream.reconfigure(errors="backslashreplace")
    else:
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
