"""What people type who come from other tools, and what rig calls it. Asked only when a verb is not known."""

from __future__ import annotations

ELSEWHERE = {
    "add": "rig create",
    "apply": "rig deploy",
    "auth": "rig login",
    "builds": "rig logs build",
    "describe": "rig details",
    "destroy": "rig delete",
    "domains": "rig details app",
    "env": "rig list vars",
    "events": "rig audit",
    "get": "rig list",
    "info": "rig details app",
    "init": "rig deploy --create",
    "invite": "rig node invite",
    "launch": "rig deploy --create",
    "log": "rig logs",
    "ls": "rig list",
    "new": "rig create",
    "ps": "rig status app",
    "publish": "rig deploy",
    "push": "rig deploy",
    "releases": "rig history",
    "remove": "rig delete",
    "revert": "rig rollback",
    "rm": "rig delete",
    "scale": "rig update app --scale web=2",
    "server": "rig node start",
    "set": "rig create var",
    "show": "rig details",
    "signin": "rig login",
    "up": "rig deploy",
    "users": "rig list members",
    "verify": "rig journal verify",
    "version": "rig --version",
}


def suggestion(name: str) -> str:
    """The command that is meant most likely by a verb that rig does not have; empty where nothing comes near."""
    from difflib import get_close_matches

    from rig.cli.list import VERBS as LISTS
    from rig.verbs import VERBS

    if name in ELSEWHERE:
        return ELSEWHERE[name]
    for noun in (name, name + "s"):
        if noun in LISTS:
            return f"rig list {noun}"
    near = get_close_matches(name, VERBS, n=1)
    return f"rig {near[0]}" if near else ""
