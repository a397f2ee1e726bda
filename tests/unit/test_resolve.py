"""Which value a variable has: given these layers, when they are resolved, then this one wins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from events.app import DeployStarted, settings_of
from events.config import ConfigState, SecretRef, Supplied
from rig.node.variables.resolve import (
    NODE_DEFAULTS,
    Given,
    differences,
    environment,
    layers,
    plain,
    resolve,
    stacks_of,
    supply,
    winners,
)

REF = SecretRef(version=3, digest="d" * 64)
NEWER = SecretRef(version=4, digest="e" * 64)


def release(supplied: Supplied, **project: str) -> DeployStarted:
    return DeployStarted(app="demo/shop", version=1, bundle="b", config={"env": project}, supplied=supplied)


def test_the_app_wins_over_rig_toml_and_that_over_the_network_and_that_over_the_node() -> None:
    supplied = Supplied(vars={"network": {"A": "n", "B": "n", "LANG": "de"}, "app": {"A": "a"}})
    stacks = stacks_of(release(supplied, A="t", B="t"))
    assert [entry.origin for entry in stacks["A"]] == ["app", "rig.toml", "network"]
    assert [(entry.origin, entry.value) for entry in stacks["LANG"]] == [("network", "de"), ("node", "C.UTF-8")]
    assert {name: entry.value for name, entry in winners(stacks).items()} == {"A": "a", "B": "t", "LANG": "de"}


def test_secrets_take_part_as_variables_do() -> None:
    supplied = Supplied(
        vars={"app": {"A": "plain"}},
        secrets={"network": {"A": REF, "B": REF, "C": REF}, "app": {"C": NEWER}},
    )
    begun = release(supplied, B="of the file")
    values = {("demo", "C", 3): "older", ("demo/shop", "C", 4): "newer"}
    scopes = {"network": "demo", "app": "demo/shop"}
    asked: list[tuple[str, str, int]] = []

    def reveal(scope: str, name: str, version: int) -> str:
        asked.append((scope, name, version))
        return values[scope, name, version]

    assert environment(begun, scopes, reveal) == {"A": "plain", "B": "of the file", "C": "newer"}
    assert asked == [("demo/shop", "C", 4)], "nothing is decrypted that no process gets"
    assert plain(begun) == {"A": "plain", "B": "of the file"}


def test_what_differs_is_what_a_process_would_notice() -> None:
    before = stacks_of(release(Supplied(vars={"network": {"A": "1", "B": "1"}}, secrets={"app": {"S": REF}})))
    after = stacks_of(release(Supplied(vars={"app": {"A": "1", "C": "1"}}, secrets={"app": {"S": NEWER}})))
    assert differences(before, after) == ["env.B", "env.C", "secret.S"]
    assert differences(before, before) == []


def test_an_app_without_variables_has_what_the_node_gives() -> None:
    assert supply(ConfigState(), ConfigState()) == Supplied()
    assert winners(resolve(layers(Supplied(), {}))).keys() == NODE_DEFAULTS.keys()


names = st.sampled_from(["A", "B", "C", "D"])
plain_layers = st.dictionaries(names, st.text(max_size=3))
refs = st.builds(SecretRef, version=st.integers(1, 3), digest=st.sampled_from(["x", "y"]))


@st.composite
def given_layers(draw: st.DrawFn) -> list[Given]:
    made = []
    for origin in ("node", "network", "rig.toml", "app"):
        variables = draw(plain_layers)
        secrets = {name: ref for name, ref in draw(st.dictionaries(names, refs)).items() if name not in variables}
        made.append(Given(origin=origin, vars=variables, secrets=secrets))
    return made


@given(given_layers())
def test_the_last_layer_that_has_a_name_gives_its_value(given_: list[Given]) -> None:
    stacks = resolve(given_)
    assert list(stacks) == sorted({name for layer in given_ for name in (*layer.vars, *layer.secrets)})
    for name, stack in stacks.items():
        having = [layer for layer in given_ if name in layer.vars or name in layer.secrets]
        assert [entry.origin for entry in stack] == [layer.origin for layer in reversed(having)]
        assert stack[0].value == having[-1].vars.get(name, "")
        assert stack[0].ref == having[-1].secrets.get(name)


@given(given_layers(), given_layers())
def test_differences_are_empty_only_where_every_process_gets_the_same(one: list[Given], two: list[Given]) -> None:
    def seen(layers_: list[Given]) -> dict[str, tuple[str, SecretRef | None]]:
        return {name: (entry.value, entry.ref) for name, entry in winners(resolve(layers_)).items()}

    assert (differences(resolve(one), resolve(two)) == []) == (seen(one) == seen(two))


def test_what_a_release_was_configured_with_agrees() -> None:
    supplied = Supplied(
        vars={"network": {"A": "n", "B": "n"}, "app": {"A": "a", "D": "a"}},
        secrets={"network": {"D": REF, "E": REF}, "app": {"C": NEWER}},
    )
    flat = settings_of(release(supplied, B="t", C="t"))
    won = winners(stacks_of(release(supplied, B="t", C="t")))
    assert flat == {
        (f"secret.{name}" if entry.ref else f"env.{name}"): (entry.ref.digest if entry.ref else entry.value)
        for name, entry in won.items()
        if entry.origin != "node"
    }
