"""The commands of the node's life, with a hand-written port."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec

from handlers import node_status, start_node, stop_node
from rig.contract.node import Node, NodeStatus, StartNode, StopNode

RUNNING = Node(state="running", home="/home", isolation="bubblewrap", pid=7, changed=True)


class Port:
    def __init__(self, node: Node = RUNNING) -> None:
        self.node = node
        self.calls: list[tuple[str, Any]] = []

    def start(self, command: StartNode) -> Node:
        self.calls.append(("start", command))
        return self.node

    def run(self, command: StartNode) -> Node:
        self.calls.append(("run", command))
        return self.node

    def stop(self, command: StopNode) -> Node:
        self.calls.append(("stop", command))
        return self.node

    def status(self) -> Node:
        self.calls.append(("status", None))
        return self.node


def context(port: Port) -> Any:
    warnings: list[str] = []
    steps: list[str] = []
    return SimpleNamespace(
        ports=SimpleNamespace(node_process=port),
        progress=SimpleNamespace(step=steps.append),
        warn=warnings.append,
        warnings=warnings,
        steps=steps,
    )


def test_start_in_the_background_and_in_the_foreground() -> None:
    port = Port()
    assert start_node.handle(StartNode(), context(port)) == RUNNING
    start_node.handle(StartNode(foreground=True), context(port))
    assert [name for name, _ in port.calls] == ["start", "run"]


def test_a_node_without_isolation_is_no_secret() -> None:
    ctx = context(Port(msgspec.structs.replace(RUNNING, isolation="none")))
    start_node.handle(StartNode(), ctx)
    assert "bubblewrap" in ctx.warnings[0]


def test_stop_says_what_happens_to_the_apps() -> None:
    for keep, words in ((True, "not its apps"), (False, "and its apps")):
        ctx = context(Port())
        stop_node.handle(StopNode(keep_apps=keep), ctx)
        assert words in ctx.steps[0]


def test_status() -> None:
    assert node_status.handle(NodeStatus(), context(Port())) == RUNNING
