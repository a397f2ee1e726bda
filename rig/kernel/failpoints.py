"""Named places in what must survive a kill, at which a test can end, stop or fail the process that gets there.

They are off, at the price of one comparison, unless ``RIG_FAILPOINTS`` names a folder. What is armed is a file in it,
named ``POINT=ACTION=LEFT``: the process that reaches the point for the ``LEFT + 1``-th time renames it to
``POINT=ACTION=reached``, which is the test's proof, and acts. A rename has one winner, so that of many processes and
threads exactly one acts. The node hands no variable of its own to builds and apps, this one neither.
"""

from __future__ import annotations

import os

POINTS = {
    # Every change, on the client and on the node
    "journal.inserted": "records stand in a transaction that is not committed",
    "journal.committed": "records are durable, and not yet pinned",
    "pin.written": "the new checkpoint lies beside the pin, not yet in its place",
    "journal.pinned": "records are pinned",
    "file.written": "a new file lies beside the one that it is to replace",
    # `rig journal rebuild`, and whoever is the first of a newer rig
    "projection.part": "one process has folded its part, others have not",
    "projection.folded": "all is folded beside the journal, the old tables are asked",
    "projection.taken": "new tables stand in a transaction that is not committed",
    "bus.intended": "an intent is on the record, nothing was done",
    "bus.handled": "it was done, its outcome is not on the record",
    "bus.concluded": "its outcome is on the record, nobody was told",
    # `rig deploy`
    "tokens.renewed": "the platform has given new tokens, they are not kept",
    "tokens.kept": "new tokens are kept",
    "deploy.listed": "the source is listed and hashed",
    "upload.asked": "the node has told what it lacks",
    "upload.sending": "a chunk of a pack is on its way",
    "upload.packed": "the node has a pack",
    "upload.complete": "the node has the whole bundle",
    "deploy.accepted": "the node has taken the release on, which is not on the record here",
    "deploy.begun": "the beginning of the release is on the record here",
    "follow.looked": "the node has told how far the release is",
    "deploy.over": "the release is over, its end is not on the record here",
    "resume.found": "the release to go on with is found",
    "reconcile.told": "the node has told what became of a change, which is not on the record here",
    # The node gives a client what it asks for, and takes a bundle in
    "tokens.issued": "a refresh token is spent, the new one was not sent",
    "bundle.spooled": "a pack has arrived, nothing of it was looked at",
    "bundle.flushed": "its contents are on the disk, the index does not know them",
    "bundle.placed": "they are in their place, the index does not know them",
    "bundle.indexed": "the index knows them",
    "bundle.assembled": "a large content is in its place, the index does not know it",
    "bundle.verified": "a bundle is found whole, which is not in the index",
    "bundle.committed": "it is in the index that a bundle is whole",
    # The node makes a release
    "release.heard": "a release is to be made",
    "source.laid": "its source lies ready for the build",
    "run.described": "a run is described on the disk, nothing runs",
    "run.ready": "a run has begun, nobody knows yet",
    "run.going": "a command of a build, or a release command, runs",
    "build.made": "everything is built, which is not noted",
    "build.saved": "the build is noted as complete",
    "promotion.copied": "the build of another app is copied, which is not noted",
    "promotion.kept": "the copied build is noted as complete",
    "release.built": "the build is on the record",
    "release.commanded": "the release command has ended well",
    "instance.described": "an instance is described on the disk, it does not run",
    "instance.launched": "an instance runs",
    "release.healthy": "all new instances are healthy",
    "edge.filled": "the edge's slots point to the new instances, its routes are the old ones",
    "edge.loaded": "the edge has new routes, which are not noted",
    "release.switched": "requests go to the new instances, which are not committed",
    "instance.committed": "an instance is to stay, the release is not over",
    "release.committed": "all new instances are to stay, the release is not over",
    "release.succeeded": "it is on the record that the release succeeded, the old instances run",
    "release.drained": "the old instances have no more requests",
    "instance.ended": "an instance has ended, its folder is there",
    "release.failing": "the new instances have ended, the failure is not on the record",
    "release.failed": "the failure is on the record",
    # The node scales, starts or stops an app, replaces its processes, and takes it down
    "scale.heard": "other instances are wanted, nothing was done",
    "scale.left": "requests go no more to the instances that are not wanted, which run",
    "scale.started": "the instances that are wanted run, new ones get no requests",
    "scale.switched": "requests go to the instances that are wanted",
    "restart.heard": "the instances are to be replaced, nothing was done",
    "restart.switched": "requests go to new instances, which are not committed",
    "restart.done": "the new instances are to stay, which is not on the record",
    "restart.recorded": "it is on the record that they were replaced",
    "removal.heard": "an app is deleted, nothing was done",
    "removal.unrouted": "it has no address, its instances run",
    "removal.ended": "its instances have ended, its files are there",
    "removal.cleared": "its files are out of the way, not off the disk",
    # The node starts
    "edge.spawned": "a new Caddy runs, of which nothing is noted",
    "node.adopted": "what runs is taken over, requests go where they went",
    "node.routed": "requests go where they should, what is not wanted runs",
    "node.ended": "what was not wanted has ended",
    "node.ready": "the node answers, which it has not told",
}
"""Every point, in the order in which a deployment meets them, and how things stand there."""

_folder = os.environ.get("RIG_FAILPOINTS")


def failpoint(name: str) -> None:
    """Something could end here. ``name`` is one of `POINTS`."""
    if _folder is not None:
        _reach(_folder, name)


def _reach(folder: str, name: str) -> None:
    for armed in os.listdir(folder):
        point, action, left = armed.split("=")
        if point != name or left == "reached":
            continue
        after = "reached" if left == "0" else str(int(left) - 1)
        try:
            os.rename(os.path.join(folder, armed), os.path.join(folder, f"{point}={action}={after}"))
        except FileNotFoundError:
            continue  # another process or thread was faster
        if after == "reached":
            _act(action)


def _act(action: str) -> None:
    import errno
    import signal

    if action == "error":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)
