"""What happens to an app on a platform, for tests of its past."""

from __future__ import annotations

import msgspec

from events.app import DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from rig.kernel.ports import Draft, Recorded
from storage.journal import Journal
from tests.storage.support import stamp

APP = "demo/shop"


class Life:
    """A platform's journal, and what happens to an app on it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.version = 0
        self.current = 0

    def happens(self, *facts: Fact, actor: str = "user:ana", corr: str = "x") -> list[Recorded]:
        by = msgspec.structs.replace(stamp(actor, corr), corr=corr)
        return self.journal.append([Draft(stream=f"app:{APP}", fact=fact, target=APP) for fact in facts], by)

    def deploy(
        self, actor: str, corr: str = "x", *, good: bool = True, bundle: str = "", rollback_of: int = 0, **env: str
    ) -> int:
        """Deploy with these variables; gives when that was over."""
        self.version += 1
        config = {"env": env, "processes": {"web": {"count": 2}}}
        started = DeployStarted(
            app=APP,
            version=self.version,
            bundle=bundle or f"{self.version:064x}",
            config=config,
            source={"commit": "c" * 40, "dirty": True},
            message=f"number {self.version}",
            previous=self.current,
            rollback_of=rollback_of,
        )
        built = DeployBuilt(app=APP, version=self.version, build="b", processes={"web": "run"})
        if not good:
            failed = DeployFailed(app=APP, version=self.version, code="build_failed", reason="No.")
            return self.happens(started, failed, actor=actor, corr=corr)[-1].at
        self.current = self.version
        url = "http://shop.demo.localhost"
        done = DeploySucceeded(app=APP, version=self.version, url=url)
        return self.happens(started, built, done, actor=actor, corr=corr)[-1].at
