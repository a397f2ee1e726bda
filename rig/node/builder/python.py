"""Python: pip into a virtual environment that later builds share."""

from __future__ import annotations

import re

import msgspec

from rig.kernel.errors import RigError
from rig.node.builder.detect import Plan, python_main
from rig.node.builder.layers import Layer, provide
from rig.node.builder.model import prefix_mount, read_only, relative_mount
from rig.node.builder.requirements import Dependencies, python_dependencies
from rig.node.builder.semver import parse_version, range_of_specifier, satisfies
from rig.node.builder.toolchain import Python, base_python, find_python
from rig.node.builder.tree import Tree, text
from rig.node.builder.workbench import Product, Workbench
from rig.node.runtime.driver import Mount

_WANTED = re.compile(r"^(?:python-|cpython-)?(3\.\d{1,2}(?:\.\d{1,2})?)$")
_PIP_ENV = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_ROOT_USER_ACTION": "ignore",
    "PIP_NO_PYTHON_VERSION_WARNING": "1",
    "PYTHONUNBUFFERED": "1",
}


async def build_python(bench: Workbench, tree: Tree, plan: Plan) -> Product:
    """Install the dependencies, then the project where it is a package, then run the build command."""
    wanted = python_dependencies(tree)
    python, warnings = await _choose_python(bench, tree, wanted)
    bench.log.heading(f"Python {python.version}")
    for warning in warnings:
        bench.log.note(f"warning: {warning}")
    layer = await _dependencies(bench, python, wanted)
    product = Product(
        language=f"Python {python.version}",
        processes=_default_process(tree, plan),
        mounts=(layer.mount, *prefix_mount(python.prefix)),
        path=(f"{layer.inside}/bin",),
        env={"PYTHONUNBUFFERED": "1", "VIRTUAL_ENV": layer.inside},
        layers=(layer.key,),
        installed=layer.installed,
        warnings=tuple(warnings),
    )
    if wanted.install_project:
        product = await _install_project(bench, python, product)
    await bench.command(product)
    return product


def _default_process(tree: Tree, plan: Plan) -> dict[str, str]:
    main = python_main(tree)
    if main and "web" not in plan.commands:
        return {"web": f"python {main}"}
    if not plan.commands:
        raise RigError(
            "build_failed",
            "Nothing says how to start the app: there is no Procfile, no `[processes]`, no main.py and no app.py.",
            "Add a Procfile with a line such as `web: gunicorn --bind 127.0.0.1:$PORT app:app`.",
        )
    return {}


async def _dependencies(bench: Workbench, python: Python, wanted: Dependencies) -> Layer:
    async def fill(inside: str, mount: Mount) -> None:
        bench.log.heading("Making a virtual environment")
        seen = read_only(prefix_mount(python.prefix), bench.paths)
        options = ("--without-pip",) if python.can_install else ()
        await bench.run(
            (str(python.program), "-I", "-m", "venv", *options, inside),
            "making the virtual environment",
            hint="Install the `venv` module of this Python (Debian: `apt-get install python3-venv`).",
            mounts=(mount, *seen),
        )
        if not (wanted.file or wanted.lines):
            bench.log.note("there are no dependencies")
            return
        bench.log.heading(f"Installing dependencies of {wanted.file or 'pyproject.toml'}")
        what = ("--requirement", wanted.file) if wanted.file else ("--", *wanted.lines)
        await _pip(bench, python, inside, what, "installing the dependencies", (mount, *seen))

    parts = {"python": python.version.encode(), **wanted.parts}
    if wanted.local:
        # What lies in the source is not described by the lock file: such a layer serves one build.
        bench.log.note("the requirements name files of the source, so they are installed for this build alone")
        parts["build"] = bench.paths.id.encode()
    return await provide(bench, "python", parts, fill)


async def _install_project(bench: Workbench, python: Python, product: Product) -> Product:
    """Install the project itself beside its dependencies, as `uv` does where there is a `[build-system]`."""
    bench.log.heading("Installing the project")
    site = bench.writable(bench.paths.site, "/site")
    venv = product.env["VIRTUAL_ENV"]
    mounts = (site, *read_only(product.mounts, bench.paths))
    await _pip(bench, python, venv, ("--no-deps", "--target", site.target, "."), "installing the project", mounts)
    return msgspec.structs.replace(
        product,
        mounts=(relative_mount(bench.paths.site, site.target, bench.paths), *product.mounts),
        path=(f"{site.target}/bin", *product.path),
        env={**product.env, "PYTHONPATH": site.target},
    )


async def _pip(
    bench: Workbench, python: Python, venv: str, arguments: tuple[str, ...], what: str, mounts: tuple[Mount, ...]
) -> None:
    cache = bench.writable(bench.paths.download_cache("pip"), "/cache/pip")
    pip = (
        (str(python.program), "-I", "-m", "pip", "--python", f"{venv}/bin/python")
        if python.can_install
        else (f"{venv}/bin/python", "-I", "-m", "pip")
    )
    await bench.run(
        (*pip, "install", *arguments),
        what,
        hint="pip's output above says which requirement failed; mend it and deploy again.",
        path=(f"{venv}/bin",),
        env={**_PIP_ENV, "PIP_CACHE_DIR": cache.target},
        mounts=(cache, *mounts),
    )


async def _choose_python(bench: Workbench, tree: Tree, wanted: Dependencies) -> tuple[Python, list[str]]:
    asked, where = _asked(bench, tree)
    if asked:
        python, found = await find_python(asked)
        if python is None:
            raise _no_python(f"Python {asked}, which {where} asks for,", found)
        if python.version != asked and asked.count(".") == 2:
            return python, [f"{where} asks for Python {asked}; {python.version} is the nearest on this node"]
        return python, []
    base = await base_python()
    ranges = range_of_specifier(wanted.requires_python)
    if satisfies(base.number, ranges) is not False:
        return base, []
    _, found = await find_python("3")
    fitting = next((version for version in found if _fits(version, ranges)), "")
    python, _ = await find_python(fitting) if fitting else (None, [])
    if python is None:
        raise _no_python(f"a Python {wanted.requires_python}, which `pyproject.toml` requires,", found)
    return python, []


def _asked(bench: Workbench, tree: Tree) -> tuple[str, str]:
    """The Python version that the project names, and where; empty where it names none."""
    said = ((bench.config.python, "`[build] python`"),) if bench.config.python else ()
    files = tuple((text(tree, name), f"`{name}`") for name in (".python-version", "runtime.txt") if tree.has(name))
    for content, where in (*said, *files):
        lines = (line.split("#")[0].strip() for line in content.splitlines())
        line = next(filter(None, lines), "")
        match = _WANTED.match(line)
        if match is None:
            raise RigError(
                "build_failed", f"{where} says `{line[:60]}`, which is no Python version.", "Write `3.12`, say."
            )
        return match[1], where
    return "", ""


def _no_python(what: str, found: list[str]) -> RigError:
    return RigError(
        "build_failed",
        f"{what} is not on this node; it has {', '.join(found) or 'none'}.",
        "Ask for one of those, or install it on the node's machine (pyenv, uv python install, the system's packages).",
        available=found,
    )


def _fits(version: str, ranges: str) -> bool:
    number = parse_version(version)
    return number is not None and bool(satisfies(number, ranges))
