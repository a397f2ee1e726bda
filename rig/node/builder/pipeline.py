"""One build, from the source to `build.json`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from rig.kernel.disk import is_full, is_short
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.node.builder.detect import Plan, detect
from rig.node.builder.layers import complete
from rig.node.builder.model import Build, BuildPaths, BuildRequest, load_build, save_build
from rig.node.builder.nodejs import build_node
from rig.node.builder.output import BuildLog
from rig.node.builder.python import build_python
from rig.node.builder.static import build_static
from rig.node.builder.tree import FolderTree, Tree
from rig.node.builder.workbench import Product, Workbench
from rig.node.runtime.driver import Driver
from rig.node.runtime.removal import remove_tree


async def build(request: BuildRequest, driver: Driver, on_line: Callable[[str], None] | None = None) -> Build:
    """Build what lies at ``request.paths.source``; a build that is complete already is answered as it is.

    Every line of output is kept at ``request.paths.log`` and given to ``on_line``. Raises `RigError` ``build_failed``,
    ``build_timeout``, ``bad_config`` or ``missing_program``, with the last lines in ``details["output"]``. Cancelling
    it ends what runs. Whatever ends it early, nothing is left that looks complete.
    """
    try:
        return await _build(request, driver, on_line)
    except OSError as error:
        if not is_full(error):
            raise
        raise _no_room([]) from error


async def _build(request: BuildRequest, driver: Driver, on_line: Callable[[str], None] | None) -> Build:
    paths = request.paths
    done = await asyncio.to_thread(load_build, paths)
    if done is not None:
        return done
    await asyncio.to_thread(_clear, paths)
    started = time.monotonic()
    with BuildLog(paths.log, on_line) as log:
        try:
            bench = Workbench(request, driver, log)
            tree = FolderTree(paths.source)
            plan = await asyncio.to_thread(detect, tree, request.config)
            log.heading(f"{plan.builder.capitalize()} app, {plan.reason}")
            for warning in plan.warnings:
                log.note(f"warning: {warning}")
            product = await _BUILDERS[plan.builder](bench, tree, plan)
            result = Build(
                id=paths.id,
                builder=plan.builder,
                isolation=driver.isolation,
                place=bench.app,
                language=product.language,
                processes=product.processes | plan.procfile,
                release=plan.release,
                static_root=product.static_root,
                mounts=product.mounts,
                path=product.path,
                env=product.env,
                layers=product.layers,
                installed=product.installed,
                warnings=(*plan.warnings, *product.warnings),
                built_at=time.time_ns(),
                milliseconds=round((time.monotonic() - started) * 1000),
            )
            failpoint("build.made")
            await asyncio.to_thread(save_build, result, paths)
            failpoint("build.saved")
            log.heading(f"Built in {result.milliseconds / 1000:.1f} s")
            return result
        except (RigError, OSError) as raised:
            full = is_short(paths.root)
            # First of all: if it has filled the disk, nothing can be kept of it, nor of anything else on this node.
            await asyncio.to_thread(_clear_made, paths)
            error = _no_room(log.tail()) if full else raised
            if isinstance(error, RigError):
                log.heading(f"Build failed: {error.message}")
                error.details.setdefault("output", log.tail())
            raise error from raised.__cause__
        finally:
            await asyncio.to_thread(_clear_work, paths)


def _no_room(output: list[str]) -> RigError:
    """The error for a build on a full disk, whichever of its steps was the one to notice."""
    return RigError(
        "build_failed",
        "The node's disk is full, so the build could not be made.",
        "Make room on the node's machine, then deploy again; what this build had written is removed.",
        output=output,
    )


async def abandon(paths: BuildPaths, driver: Driver) -> None:
    """End what still runs of a build whose node was killed, and remove what it worked with.

    Its log stays, and what it has built, if it was complete; else it can be started again.
    """
    for state in sorted(paths.steps.glob("*/state")):
        handle = driver.adopt(state)
        if handle is not None and driver.alive(handle):
            await driver.stop(handle)
    await asyncio.to_thread(_clear_work, paths)


async def _procfile(bench: Workbench, tree: Tree, plan: Plan) -> Product:
    if not plan.commands:
        raise RigError(
            "build_failed",
            "There is no Procfile, and `[processes]` in rig.toml has no command.",
            "Add a Procfile with a line such as `web: ./server --port $PORT`.",
        )
    product = Product()
    await bench.command(product)
    return product


_BUILDERS = {"python": build_python, "node": build_node, "static": build_static, "procfile": _procfile}


def _clear(paths: BuildPaths) -> None:
    """Remove what an earlier attempt left, and make the folders of this one."""
    _clear_work(paths)
    remove_tree(paths.site)
    paths.tmp.mkdir(parents=True, mode=0o700)
    paths.layers.mkdir(parents=True, exist_ok=True, mode=0o700)


def _clear_made(paths: BuildPaths) -> None:
    """Remove what a build has made that failed. The next attempt begins anew in any case."""
    _clear_work(paths)
    for layer in paths.layers.iterdir():
        if layer.is_dir() and not complete(layer):
            remove_tree(layer)
    for folder in (paths.site, paths.source):
        remove_tree(folder)


def _clear_work(paths: BuildPaths) -> None:
    for folder in (paths.steps, paths.tmp, paths.build_home):
        remove_tree(folder)
