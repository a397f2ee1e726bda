"""Every verb: where it lives, what it does, where it stands in the help. A literal, and nothing else."""

VERBS: dict[str, tuple[str, str, str]] = {
    # verb: (module, summary, group)
    "deploy": ("rig.cli.deploy", "Deploy a folder: build it, start it, switch to it", "Ship"),
    "rollback": ("rig.cli.rollback", "Serve an earlier release again, without a build", "Ship"),
    "history": ("rig.cli.history", "Releases of an app: who, when, what changed, outcome", "Ship"),
    "diff": ("rig.cli.diff", "What differs between two releases, or two moments", "Ship"),
    "blame": ("rig.cli.blame", "Who set the configuration of an app, and when", "Ship"),
    "undo": ("rig.cli.undo", "Take back what you did last", "Ship"),
    "logs": ("rig.cli.logs", "Build output", "Look"),
    "status": ("rig.cli.status", "How an app is doing now", "Look"),
    "details": ("rig.cli.details", "All about an app or a network", "Look"),
    "list": ("rig.cli.list", "List apps, networks, members and tokens", "Look"),
    "create": ("rig.cli.create", "Make a network, app, member or token", "Manage"),
    "update": ("rig.cli.update", "Change an app, or the role of a member", "Manage"),
    "delete": ("rig.cli.delete", "Delete a network, app, member or token", "Manage"),
    "audit": ("rig.cli.audit", "What was done, by whom, how it ended", "Prove"),
    "journal": ("rig.cli.journal", "Verify the journal, or tell about it", "Prove"),
    "login": ("rig.cli.login", "Log in to a platform", "You"),
    "logout": ("rig.cli.logout", "Log out, and forget the tokens", "You"),
    "whoami": ("rig.cli.whoami", "Who you are to the platform", "You"),
    "context": ("rig.cli.context", "List the platforms you are logged in to, or choose one", "You"),
    "settings": ("rig.cli.settings", "Your own preferences", "You"),
    "node": ("rig.cli.node", "Start, stop and look at the Max node on this machine", "Node"),
    "schema": ("rig.cli.schema", "JSON Schema of what `-o json` prints", "More"),
}
