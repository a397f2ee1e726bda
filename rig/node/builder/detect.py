"""Which builder a source wants. Pure: it looks at names and contents, and runs nothing."""

from __future__ import annotations

from typing import Literal

import msgspec

from rig.contract.project import AppConfig
from rig.kernel.errors import RigError
from rig.node.builder.model import configured_commands
from rig.node.builder.procfile import RELEASE, parse_procfile
from rig.node.builder.tree import Tree, pyproject, text

BuilderName = Literal["python", "node", "static", "procfile"]

STATIC_FOLDERS = (".", "public", "dist")
_NODE_PROGRAMS = frozenset({"node", "npm", "npx", "next", "nuxt", "tsx", "ts-node", "nest"})
_PYTHON_MAINS = ("main.py", "app.py")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What will be done, and why."""

    builder: BuilderName
    reason: str
    """The end of a sentence that begins with the builder's name."""
    procfile: dict[str, str] = {}
    """Without ``release``."""
    commands: dict[str, str] = {}
    """The same with what `[processes]` says instead or on top: all that is told before a builder adds to it."""
    release: str = ""
    warnings: tuple[str, ...] = ()


def detect(tree: Tree, config: AppConfig) -> Plan:
    """The builder for this source.

    `[build] builder` decides where it is given, then `[build] output` (static). Otherwise: Python where there is a
    requirements.txt or a pyproject.toml that describes a project; Node where there is a package.json; where both
    stand, Python, unless the ``web`` command starts a program of Node's. Then Python by its files alone, a Procfile
    alone, a static site. Raises `RigError` ``build_failed`` where nothing fits, ``bad_config`` for a bad Procfile.
    """
    procfile = parse_procfile(text(tree, "Procfile")) if tree.has("Procfile") else {}
    release = procfile.pop(RELEASE, "")
    commands = procfile | configured_commands(config)
    builder, reason, warnings = _choose(tree, config, commands)
    return Plan(
        builder=builder, reason=reason, procfile=procfile, commands=commands, release=release, warnings=warnings
    )


def static_root(tree: Tree, folders: tuple[str, ...] = STATIC_FOLDERS) -> str:
    """The first folder with an ``index.html``, ``.`` for the source itself; empty: there is none."""
    return next((folder for folder in folders if tree.has(f"{folder}/index.html")), "")


def python_main(tree: Tree) -> str:
    """The script that is started where nothing else is said; empty where there is none."""
    return next((name for name in _PYTHON_MAINS if tree.has(name)), "")


def is_python_project(tree: Tree) -> bool:
    """Whether pyproject.toml describes a project, and not only the settings of a linter."""
    document = pyproject(tree)
    tools = document.get("tool")
    return "project" in document or (isinstance(tools, dict) and "poetry" in tools)


def _choose(tree: Tree, config: AppConfig, commands: dict[str, str]) -> tuple[BuilderName, str, tuple[str, ...]]:
    if config.build.builder != "auto":
        return config.build.builder, "as `[build] builder` says", ()
    if config.build.output:
        return "static", f"because `[build] output` names `{config.build.output}`", ()
    names = tree.names()
    python = next((name for name in ("requirements.txt", "Pipfile") if tree.has(name)), "")
    if not python and is_python_project(tree):
        python = "pyproject.toml"
    if python and tree.has("package.json"):
        return _python_or_node(commands, python)
    if python:
        return "python", f"because there is a {python}", ()
    if tree.has("package.json"):
        return "node", "because there is a package.json", ()
    scripts = sorted(name for name in names if name.endswith(".py"))
    if python_main(tree) or (scripts and commands):
        return "python", f"because there is {python_main(tree) or scripts[0]}", ()
    if commands:
        return "procfile", "because there is nothing but the commands", ()
    root = static_root(tree)
    if root:
        return "static", f"because there is {'index.html' if root == '.' else root + '/index.html'}", ()
    raise RigError(
        "build_failed",
        "Nothing in the source says how to build it; looked for requirements.txt, pyproject.toml, main.py, app.py,"
        " package.json, Procfile, index.html, public/index.html and dist/index.html.",
        'Add one of them at the top of the source, or set `builder = "…"` under `[build]` in rig.toml.',
        found=sorted(names)[:20],
    )


def _python_or_node(commands: dict[str, str], python: str) -> tuple[BuilderName, str, tuple[str, ...]]:
    words = commands.get("web", "").split()
    if words and words[0] in _NODE_PROGRAMS:
        return "node", f"because the `web` command starts `{words[0]}`", ()
    advice = (
        f"{python} and package.json are both here, and only Python is set up;"
        ' `builder = "node"` under `[build]` chooses Node'
    )
    return "python", f"because there is a {python}", (advice,)
