"""Node: npm into a layer that later builds share, or into the source where the packages need it beside them."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec

from rig.kernel.errors import UNREADABLE, RigError
from rig.node.builder.detect import Plan
from rig.node.builder.layers import Layer, provide
from rig.node.builder.model import prefix_mount, read_only
from rig.node.builder.semver import parse_version, satisfies
from rig.node.builder.toolchain import Node, find_node
from rig.node.builder.tree import Tree, text
from rig.node.builder.workbench import Product, Workbench
from rig.node.runtime.driver import Mount

_LOCKS = ("npm-shrinkwrap.json", "package-lock.json")
_FOREIGN = {"yarn.lock": "Yarn", "pnpm-lock.yaml": "pnpm", "bun.lock": "Bun", "bun.lockb": "Bun"}
_INSTALL_SCRIPTS = frozenset(
    {"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"}
)
_DEPENDENCY_FIELDS = (
    "dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "overrides", "engines",
)  # fmt: skip
_MAINS = ("server.js", "index.js", "app.js")

# Positional parameters: the layer, then the words of the npm command. The files go in by way of the sandbox, so that
# they belong to the user that npm runs as.
_INSTALL = """
set -eu
layer=$1; shift
for file in package.json package-lock.json npm-shrinkwrap.json .npmrc; do
  if [ -f "$file" ]; then cp "$file" "$layer/"; fi
done
cd "$layer"
"$@"
mkdir -p node_modules
"""
_LINK = 'rm -rf node_modules && ln -s "$1/node_modules" node_modules'
_COPY = 'rm -rf node_modules && cp -RP "$1/node_modules" node_modules'


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """What a builder needs of package.json."""

    scripts: dict[str, str] = {}
    main: str = ""
    wants_node: str = ""
    dependencies: bytes = b"{}"
    """The fields that name dependencies, canonical JSON."""
    development: bool = False
    """Whether there are devDependencies."""
    in_place: str = ""
    """Why the packages have to be installed in the source itself; empty where they need not."""


def read_package(tree: Tree) -> Package:
    """Read package.json. Raises `RigError` ``build_failed`` where it is no such thing."""
    try:
        document = msgspec.json.decode(text(tree, "package.json"), type=dict[str, Any])
        scripts = msgspec.convert(document.get("scripts") or {}, dict[str, str])
        named = {name: document[name] for name in _DEPENDENCY_FIELDS if name in document}
        specs = [
            spec
            for name in ("dependencies", "devDependencies", "optionalDependencies")
            for spec in msgspec.convert(document.get(name) or {}, dict[str, str]).values()
        ]
        engines = document.get("engines")
    except UNREADABLE as error:
        raise RigError("build_failed", f"`package.json` cannot be read: {error}.", "Mend `package.json`.") from error
    main = document.get("main")
    return Package(
        scripts=scripts,
        main=main if isinstance(main, str) else "",
        wants_node=str(engines.get("node", "")) if isinstance(engines, dict) else "",
        dependencies=msgspec.json.encode(named, order="sorted"),
        development=bool(document.get("devDependencies")),
        in_place=_why_in_place(document, scripts, specs),
    )


async def build_node(bench: Workbench, tree: Tree, plan: Plan) -> Product:
    """Install, run the build script and the build command, and put away what only the build needed."""
    product, node, package = await prepare_node(bench, tree)
    if package.development and _has_build(bench, package):
        await bench.run(
            (str(node.npm), "prune", "--omit=dev", "--ignore-scripts", *_QUIET),
            "removing the development dependencies",
            path=product.path,
            env=_npm_env(bench),
            mounts=(_cache(bench), *read_only(product.mounts, bench.paths)),
        )
    return msgspec.structs.replace(product, processes=_default_process(tree, plan, package))


async def prepare_node(bench: Workbench, tree: Tree) -> tuple[Product, Node, Package]:
    """Install the packages and build; what a static site made by npm needs, too."""
    package = read_package(tree)
    _refuse_foreign_locks(tree)
    node = await find_node()
    warnings = _engine_warnings(node, package)
    lock = next((name for name in _LOCKS if tree.has(name)), "")
    if not lock:
        warnings.append("there is no package-lock.json, so the versions of the dependencies are not fixed")
    bench.log.heading(f"Node {node.version}")
    for warning in warnings:
        bench.log.note(f"warning: {warning}")
    product = Product(
        language=f"Node {node.version}",
        mounts=prefix_mount(node.prefix),
        path=(f"{bench.app}/node_modules/.bin", str(node.program.parent)),
        env={"NODE_ENV": "production"},
        warnings=tuple(warnings),
    )
    builds = _has_build(bench, package)
    if package.in_place:
        bench.log.heading("Installing dependencies")
        bench.log.note(f"in the source itself, for this build alone: {package.in_place}")
        await _npm(bench, node, product, _install_command(node, lock, development=builds), ())
        product = msgspec.structs.replace(product, installed=True)
    else:
        layer = await _layer(bench, tree, node, product, package, lock, development=builds)
        product = msgspec.structs.replace(
            product,
            # A copy is writable, as bundlers want it; a link costs nothing, and what runs does not write.
            mounts=product.mounts if builds else (layer.mount, *product.mounts),
            layers=(layer.key,),
            installed=layer.installed,
        )
        await bench.run(
            ("/bin/sh", "-c", _COPY if builds else _LINK, "sh", layer.inside),
            "putting the dependencies in place",
            mounts=read_only((layer.mount,), bench.paths),
        )
    if "build" in package.scripts:
        await bench.shell(
            "npm run build", "`npm run build`", product, heading="Running `npm run build`", env=_npm_env(bench)
        )
    await bench.command(product)
    return product, node, package


def _has_build(bench: Workbench, package: Package) -> bool:
    return "build" in package.scripts or bool(bench.config.command)


async def _layer(
    bench: Workbench, tree: Tree, node: Node, product: Product, package: Package, lock: str, *, development: bool
) -> Layer:
    async def fill(inside: str, mount: Mount) -> None:
        bench.log.heading(f"Installing dependencies of {lock or 'package.json'}")
        npm = _install_command(node, lock, development=development)
        await _npm(bench, node, product, ("/bin/sh", "-c", _INSTALL, "sh", inside, *npm), (mount,))

    parts = {
        "node": node.version.encode(),
        "dependencies": package.dependencies,
        "development": str(development).encode(),
        **{name: tree.read(name) for name in (lock, ".npmrc") if name and tree.has(name)},
    }
    return await provide(bench, "node", parts, fill)


_QUIET = ("--no-audit", "--no-fund", "--no-update-notifier", "--no-progress")


def _install_command(node: Node, lock: str, *, development: bool) -> tuple[str, ...]:
    verb = "ci" if lock else "install"
    return (str(node.npm), verb, "--include=dev" if development else "--omit=dev", *_QUIET)


async def _npm(
    bench: Workbench, node: Node, product: Product, argv: tuple[str, ...], mounts: tuple[Mount, ...]
) -> None:
    await bench.run(
        argv,
        "installing the dependencies",
        hint="npm's output above says why; `npm install` in the project brings package-lock.json up to date.",
        path=(str(node.program.parent),),
        env=_npm_env(bench),
        mounts=(_cache(bench), *mounts, *read_only(product.mounts, bench.paths)),
    )


def _cache(bench: Workbench) -> Mount:
    return bench.writable(bench.paths.download_cache("npm"), "/cache/npm")


def _npm_env(bench: Workbench) -> dict[str, str]:
    return {"NPM_CONFIG_CACHE": _cache(bench).target, "NODE_ENV": bench.request.env.get("NODE_ENV", "production")}


def _default_process(tree: Tree, plan: Plan, package: Package) -> dict[str, str]:
    if "web" in plan.commands:
        return {}
    if "start" in package.scripts:
        return {"web": "npm start"}
    main = next((name for name in (package.main, *_MAINS) if name and tree.has(name)), "")
    if main:
        # The name comes from package.json, and the line goes to a shell.
        return {"web": f"node {shlex.quote(main)}"}
    if not plan.commands:
        raise RigError(
            "build_failed",
            "Nothing says how to start the app: there is no Procfile, no `[processes]`, no `start` script in"
            " package.json, no server.js and no index.js.",
            'Add `"start": "node server.js"` to the scripts of package.json, say.',
        )
    return {}


def _refuse_foreign_locks(tree: Tree) -> None:
    if any(tree.has(name) for name in _LOCKS):
        return
    for name, manager in _FOREIGN.items():
        if tree.has(name):
            raise RigError(
                "build_failed",
                f"`{name}` is not supported: npm installs the dependencies, and does not read {manager}'s lock file.",
                "Run `npm install --package-lock-only`, add package-lock.json to the source, and deploy again.",
                file=name,
            )


def _engine_warnings(node: Node, package: Package) -> list[str]:
    version = parse_version(node.version)
    if not package.wants_node or version is None:
        return []
    fits = satisfies(version, package.wants_node)
    if fits is None:
        return [f"`engines.node` of package.json, `{package.wants_node}`, is no range that rig can read"]
    if fits:
        return []
    return [f"package.json wants Node {package.wants_node}, and this node has {node.version}"]


def _why_in_place(document: dict[str, Any], scripts: dict[str, str], specs: list[str]) -> str:
    """Why a folder with package.json alone would not do for the installation; empty where it does."""
    if document.get("workspaces"):
        return "package.json has `workspaces`"
    if any(spec.startswith(("file:", "link:", "./", "../", "/", "~/")) for spec in specs):
        return "package.json depends on folders of the source"
    found = sorted(_INSTALL_SCRIPTS & set(scripts))
    return f"package.json has a `{found[0]}` script" if found else ""
