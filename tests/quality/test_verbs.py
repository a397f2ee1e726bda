"""The table of verbs, the contract and the handlers fit together: nothing is missing, nothing hangs loose."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import rig.verbs
from rig.cli.fields import fields_of
from rig.cli.globals import BARE_FLAGS, PREFIX, VALUE_FLAGS, GlobalOptions
from rig.cli.run import kind_of
from rig.contract.api import ROUTES
from rig.contract.base import Command, tag_of
from rig.contract.schemas import all_commands, replies
from rig.help import help_text
from rig.kernel.bus import snake_case
from rig.verbs import VERBS
from tests.docs.commands_page import verbs

ALL = dict(verbs())
COMMANDS = all_commands()
TRAVELS_ONLY = {
    "config.apply_network",  # sent by `rig config apply`
    "config.show",  # asked by `rig config`
    "intent.show",  # asked about a change that was cut off
    "journal.records",  # asked by whatever looks at the platform's record
    "journal.register",  # sent by `rig login`
    "journal.witness",  # sent after each change
    "promotion.show",  # asked by `rig promote`, which sends the other one if it is agreed to
    "promotion.start",
    "secret.list_network",  # sent by `rig list secrets --network`
    "secret.reveal",  # sent by `rig list secrets --reveal`
    "secret.reveal_network",  # the same with --network
    "var.list_network",  # sent by `rig list vars --network`
    "variables.change",  # sent by `rig create var`, `rig delete secret` and the like
    "variables.change_network",  # the same with --network
    "release.show",  # asked by `rig deploy` until the release is over
    "release.start",  # sent by `rig deploy`
}
"""Commands that no user gives."""


def flags(struct: type) -> list[str]:
    return [part for f in fields_of(struct) if not f.option.positional for flag in f.flags for part in flag.split("/")]


@pytest.mark.parametrize("name", ALL)
def test_a_verb_has_a_command_with_help_and_a_handler(name: str) -> None:
    verb = ALL[name]
    assert verb.command in COMMANDS
    assert (verb.command.__doc__ or "").strip().splitlines()[0].endswith((".", ":"))
    assert all(field.help for field in fields_of(verb.command)), "every field has its help"
    assert callable(import_module(f"handlers.{snake_case(verb.command.__name__)}").handle)


def test_every_command_has_a_verb_or_only_travels() -> None:
    spoken = {tag_of(verb.command) for verb in ALL.values()}
    tags = {tag_of(command) for command in COMMANDS}
    assert tags - spoken == TRAVELS_ONLY
    assert spoken <= tags


@pytest.mark.parametrize("package", ["handlers", "rig.node.handlers"])
def test_every_handler_handles_a_command(package: str) -> None:
    """A module of a handlers' package handles the command that it is named after, or is used by such modules."""
    names = {snake_case(command.__name__) for command in COMMANDS}
    for path in Path(import_module(package).__path__[0]).glob("[a-z]*.py"):
        module = import_module(f"{package}.{path.stem}")
        assert hasattr(module, "handle") == (path.stem in names), path


def test_every_route_has_a_handler_on_both_sides() -> None:
    for route in ROUTES:
        module = snake_case(route.command.__name__)
        assert callable(import_module(f"rig.node.handlers.{module}").handle)
        if tag_of(route.command) not in TRAVELS_ONLY - {"journal.register"}:
            assert callable(import_module(f"handlers.{module}").handle)


def test_tags_are_unique() -> None:
    tags = [tag_of(command) for command in COMMANDS]
    assert len(set(tags)) == len(tags)


def test_a_kind_has_one_shape() -> None:
    """`rig schema KIND` can describe a kind only if all that answers under it looks the same."""
    shapes: dict[str, set[type]] = {}
    for command in COMMANDS:
        shapes.setdefault(command.kind, set()).add(command.reply)
    ambiguous = {kind: shape for kind, shape in shapes.items() if kind and len(shape) > 1}
    assert ambiguous == {}


def test_every_verb_answers_with_a_kind_that_has_a_schema() -> None:
    assert {kind_of(verb) for verb in ALL.values()} <= set(replies())


@pytest.mark.parametrize("name", ALL)
def test_the_options_of_a_verb_have_one_meaning_each(name: str) -> None:
    own = flags(ALL[name].command)
    everywhere = [*flags(GlobalOptions), "--help", "-h", *(["--yes", "-y"] if ALL[name].question else [])]
    assert len(set(own)) == len(own)
    assert not set(own) & set(everywhere)
    assert not [f.name for f in fields_of(ALL[name].command) if f.name.startswith(PREFIX)]


def test_the_global_options_are_known_before_the_verb_too() -> None:
    assert set(flags(GlobalOptions)) == VALUE_FLAGS | BARE_FLAGS
    values = {flag for f in fields_of(GlobalOptions) if f.base is not bool for flag in f.flags}
    assert values == VALUE_FLAGS


def test_every_verb_stands_in_the_help() -> None:
    shown = help_text()
    for verb, (_, summary, group) in VERBS.items():
        assert f"  {verb}" in shown
        assert summary in shown
        assert f"\n{group}:\n" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_the_table_of_verbs_is_a_literal() -> None:
    assert rig.verbs.__file__ is not None
    body = ast.parse(Path(rig.verbs.__file__).read_text()).body
    assert [type(node) for node in body] == [ast.Expr, ast.AnnAssign]
    assert isinstance(body[1], ast.AnnAssign)
    assert body[1].value is not None
    assert ast.literal_eval(body[1].value) == VERBS


def test_no_other_distribution_owns_our_names() -> None:
    owners = packages_distributions()
    for name in ("rig", "events", "handlers", "storage"):
        assert set(owners.get(name, ["rig"])) == {"rig"}, name


def test_commands_are_frozen_and_know_their_reply() -> None:
    for command in COMMANDS:
        assert issubclass(command, Command)
        assert command.__struct_config__.frozen
        assert command.reply.__struct_config__.frozen
