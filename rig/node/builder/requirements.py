"""What a Python project depends on: requirements files and what they include, or pyproject.toml."""

from __future__ import annotations

import posixpath
import re
from typing import Any

import msgspec

from rig.kernel.errors import RigError
from rig.node.builder.tree import Tree, pyproject, text

_INCLUDE = re.compile(r"^(?:-r|--requirement|-c|--constraint)(?:\s*=\s*|\s+|(?=[^\s=-]))(\S+)")
_FOLDER = re.compile(r"^(?:-f|--find-links)(?:\s*=\s*|\s+|(?=[^\s=-]))(\S+)")
_EDITABLE = re.compile(r"^(?:-e|--editable)(?:\s*=\s*|\s+)(\S+)")
_COMMENT = re.compile(r"(^|\s)#.*$")
_FOREIGN = {
    "poetry.lock": "poetry export -f requirements.txt -o requirements.txt",
    "uv.lock": "uv export --no-emit-project --format requirements-txt -o requirements.txt",
    "pdm.lock": "pdm export -o requirements.txt",
    "Pipfile.lock": "pipenv requirements > requirements.txt",
    "Pipfile": "pipenv requirements > requirements.txt",
}
"""Lock files that pip does not read → the command that turns them into one that it does."""


class Dependencies(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be installed before the project runs."""

    file: str = ""
    """The requirements file for ``pip install -r``, relative to the source; empty: ``lines`` say it."""
    lines: tuple[str, ...] = ()
    parts: dict[str, bytes] = {}
    """What decides the outcome, for the layer's key."""
    local: bool = False
    """Whether something is installed from the source itself, so that its files decide, too."""
    install_project: bool = False
    """Whether the project is a package that has to be installed (pyproject.toml with a ``[build-system]``)."""
    requires_python: str = ""


def python_dependencies(tree: Tree) -> Dependencies:
    """What the source asks for. Raises `RigError` ``build_failed`` for what pip cannot read."""
    document = pyproject(tree)
    project = document.get("project")
    project = project if isinstance(project, dict) else {}
    requires = project.get("requires-python")
    requires_python = requires if isinstance(requires, str) else ""
    if tree.has("requirements.txt"):
        files: dict[str, bytes] = {}
        local = _include(tree, "requirements.txt", files, "")
        return Dependencies(file="requirements.txt", parts=files, local=local, requires_python=requires_python)
    for name, command in _FOREIGN.items():
        if tree.has(name):
            raise RigError(
                "build_failed",
                f"`{name}` is not supported: pip installs the dependencies, and does not read it.",
                f"Run `{command}` and deploy again.",
                file=name,
            )
    if not project:
        if "tool" in document and "poetry" in document["tool"]:
            raise RigError(
                "build_failed",
                "`pyproject.toml` lists its dependencies under [tool.poetry], which pip does not read.",
                f"Run `{_FOREIGN['poetry.lock']}`, or list them under [project] (PEP 621).",
            )
        return Dependencies(requires_python=requires_python)
    return _project(project, requires_python, installable="build-system" in document)


def _project(project: dict[str, Any], requires_python: str, *, installable: bool) -> Dependencies:
    dynamic = project.get("dynamic", [])
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        raise RigError(
            "build_failed",
            "`pyproject.toml` calls its dependencies dynamic, so that they cannot be read.",
            "List them under [project], or in requirements.txt.",
        )
    listed = project.get("dependencies", [])
    if not isinstance(listed, list) or not all(isinstance(line, str) and "\n" not in line for line in listed):
        raise RigError(
            "build_failed", "[project] `dependencies` of `pyproject.toml` is no list of texts.", "See PEP 621."
        )
    return Dependencies(
        lines=tuple(listed),
        parts={"dependencies": msgspec.json.encode(listed)},
        local=any(_is_local(line) for line in listed),
        install_project=installable,
        requires_python=requires_python,
    )


def _include(tree: Tree, path: str, files: dict[str, bytes], included_by: str) -> bool:
    """Collect a requirements file and all that it includes; whether something in them is local."""
    if path in files:
        return False
    if not tree.has(path):
        where = f", which `{included_by}` includes," if included_by else ""
        raise RigError(
            "build_failed", f"`{path}`{where} is not in the source.", "Add it, or check .gitignore.", file=path
        )
    files[path] = tree.read(path)
    local = False
    for line in re.sub(r"\\\r?\n", "", text(tree, path)).splitlines():
        content = _COMMENT.sub("", line).strip()
        include = _INCLUDE.match(content)
        if include and "://" not in include[1]:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), include[1]))
            local = _include(tree, target, files, path) or local
        elif not include and content:
            local = _is_local(content) or local
    return local


def _is_local(line: str) -> bool:
    """Whether pip would take this from the source: a folder, an archive, an editable."""
    option = _FOLDER.match(line) or _EDITABLE.match(line)
    if option:
        return "://" not in option[1] or option[1].startswith("file:")
    if line.startswith("-"):
        return False
    name = line.split(";", maxsplit=1)[0].strip()
    return "file:" in name or ("://" not in name and (name.startswith(".") or "/" in name or name.endswith(".whl")))
