"""A static site: a folder, served by the node's Caddy as an ordinary process of the app."""

from __future__ import annotations

import msgspec

from rig.kernel.errors import RigError
from rig.kernel.files import write_atomic
from rig.node.builder.detect import STATIC_FOLDERS, Plan, static_root
from rig.node.builder.nodejs import prepare_node
from rig.node.builder.tree import Tree
from rig.node.builder.workbench import Product, Workbench

COMMAND = 'caddy run --adapter caddyfile --config "$CADDYFILE"'
"""The ``web`` process of a static site, see `rig.node.builder.launch`."""

_BUILT_FOLDERS = ("dist", "build", "out", "_site", "public", ".")
"""Where site generators write; before the source itself, whose index.html is often their input."""

# Nothing of Caddy's own leaks out: no admin endpoint, no state, no certificates. What rig reads from the source is no
# part of the site. A page may be asked for without its `.html`, and the site's own 404.html is used.
CADDYFILE = """\
{
	admin off
	persist_config off
	auto_https off
	log {
		output stderr
		level WARN
	}
}
http://:{$PORT} {
	bind 127.0.0.1
	root * {$STATIC_ROOT}
	encode zstd gzip
	header -Server
	@hidden {
		path */.* /rig.toml /Procfile /package.json /package-lock.json /node_modules /node_modules/*
		not path /.well-known/*
	}
	error @hidden 404
	try_files {path} {path}/index.html {path}.html
	file_server
	handle_errors {
		@page file {
			try_files /{err.status_code}.html
		}
		handle @page {
			rewrite * {file_match.relative}
			file_server {
				status {err.status_code}
			}
		}
		respond "{err.status_code} {err.status_text}"
	}
}
"""


async def build_static(bench: Workbench, tree: Tree, plan: Plan) -> Product:
    """Build with npm where there is a package.json with something to run, then find the folder that is served."""
    product = Product()
    if tree.has("package.json"):
        product, _, _ = await prepare_node(bench, tree)
        await bench.run(("/bin/rm", "-rf", "node_modules"), "removing the development dependencies")
    else:
        await bench.command(product)
    root = _root(bench, tree, built=tree.has("package.json") or bool(bench.config.command))
    bench.log.heading("Static site" if root == "." else f"Static site in {root}/")
    write_atomic(bench.paths.caddyfile, CADDYFILE.encode(), mode=0o644)
    # The site runs without what built it.
    return msgspec.structs.replace(product, processes={"web": COMMAND}, mounts=(), path=(), env={}, static_root=root)


def _root(bench: Workbench, tree: Tree, *, built: bool) -> str:
    wanted = bench.config.output.strip("/")
    if wanted:
        if ".." in wanted.split("/"):
            raise RigError("bad_config", f"`[build] output` leaves the source: `{wanted}`.", "Name a folder inside it.")
        if not tree.has_folder(wanted):
            raise RigError(
                "build_failed",
                f"The folder `{wanted}`, which `[build] output` names, is not there after the build.",
                "Name the folder that the build writes, relative to the source.",
                output=bench.log.tail(),
            )
        return wanted
    root = static_root(tree, _BUILT_FOLDERS if built else STATIC_FOLDERS)
    if not root:
        raise RigError(
            "build_failed",
            "There is no index.html in the source or in one of the folders that sites are usually built into.",
            'Name the folder that is served: `output = "…"` under `[build]` in rig.toml.',
            output=bench.log.tail(),
        )
    return root
