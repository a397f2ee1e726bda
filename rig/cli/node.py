"""`rig node start|stop|status|gc|archive|rotate-keys|invite`."""

from __future__ import annotations

from rig.cli.humanize import count, moment, size
from rig.cli.journal import show_archive
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.accounts import Invitation, Invite
from rig.contract.collect import CollectGarbage, Collection, Garbage
from rig.contract.evidence import ArchiveNode
from rig.contract.node import Node, NodeStatus, StartNode, StopNode
from rig.contract.secrets import KeyRotation, RotateKeys


def show_started(node: Node, out: Output) -> None:
    if node.state != "running":
        out.line("The node has stopped.")
        return
    out.line("The node runs." if node.changed else "The node runs already.")
    show(node, out)
    out.hint("Next: rig login")


def show_stopped(node: Node, out: Output) -> None:
    out.line("The node has stopped." if node.changed else "No node runs.")


def show(node: Node, out: Output) -> None:
    out.pairs(
        [
            ("state", node.state),
            ("API", node.api),
            ("apps", node.edge.replace("://", "://APP.NETWORK.", 1) if node.edge else ""),
            ("isolation", node.isolation),
            ("at once", count(node.releases, "release") if node.releases else ""),
            ("version", node.version),
            ("process", node.pid or ""),
            ("since", moment(node.started_at)),
            ("folder", node.home),
            *(("problem", problem) for problem in node.problems),
        ]
    )


def show_invitation(invitation: Invitation, out: Output) -> None:
    out.note(f"Good once, until {moment(invitation.expires_at)}. Send it to {invitation.name} over a private channel:")
    out.line(invitation.link)


def show_collection(collection: Collection, out: Output) -> None:
    rows = [(thing(each), each.app, size(each.bytes) if each.bytes else "", each.reason) for each in collection.garbage]
    out.table(("WHAT", "APP", "SIZE", "WHY"), rows, empty="There is nothing to collect.")
    if rows:
        out.line(("That would free " if collection.dry_run else "Freed ") + size(collection.bytes) + ".")
    for app in collection.skipped:
        out.note(f"{app} is busy; its turn comes with the next collection.")


def show_rotation(rotation: KeyRotation, out: Output) -> None:
    out.line(f"The keys were replaced; {rotation.values} values of secrets are encrypted anew.")
    if rotation.forgotten:
        out.line(f"Forgotten, since nobody can read them again: {count(rotation.forgotten, 'value')}. Set them anew.")
    out.hint("A backup of the old secrets.key opens old backups alone.")


def ask_archive(command: ArchiveNode) -> str:
    return f"Move all records from before {command.before} out of the node's journal, into a file beside it?"


def thing(garbage: Garbage) -> str:
    """``build 3f1c``, ``cache pip (12)``."""
    named = f"{garbage.what} {garbage.name[:24]}".rstrip()
    return named if garbage.count == 1 else f"{named} ({garbage.count})"


VERBS = {
    "start": Verb(command=StartNode, render=show_started),
    "stop": Verb(command=StopNode, render=show_stopped),
    "status": Verb(command=NodeStatus, render=show),
    "gc": Verb(command=CollectGarbage, render=show_collection, rows=lambda collection: collection.garbage),
    "archive": Verb(command=ArchiveNode, render=show_archive, question=ask_archive),
    "rotate-keys": Verb(command=RotateKeys, render=show_rotation),
    "invite": Verb(command=Invite, render=show_invitation),
}
