"""The composition root of the command line: the one place that names adapters, and builds each on first use."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from rig import __version__
from rig.clients.contexts import FileContexts
from rig.clients.embedded import require_own_node
from rig.clients.home import Home, find_home
from rig.clients.settings import FileSettings
from rig.contract.project import AppConfig, ProjectFile
from rig.kernel.client import Inputs, Sources, Terminal
from rig.kernel.errors import RigError
from rig.kernel.ports import Clock, NodeProcess, Platform, Progress, Record

if TYPE_CHECKING:
    from rig.clients.http import HttpTransport, Patience
    from rig.clients.logins import ClientLogins
    from rig.clients.oauth import OAuth
    from rig.clients.project import Project
    from rig.clients.tokens import Tokens
    from rig.contract.accounts import Context
    from rig.contract.configuration import Configuration
    from storage.absent import AbsentJournal
    from storage.evidence import Evidence
    from storage.journal import Journal
    from storage.projections.base import Projection
    from storage.replica import Replica
    from storage.texts import TextIndex

USER_AGENT = f"rig/{__version__}"


class Adapters:
    """One invocation's adapters. A context manager: it closes the journals."""

    def __init__(
        self,
        *,
        settings: FileSettings,
        progress: Progress,
        terminal: Terminal,
        context: str = "",
        environ: Mapping[str, str] = os.environ,
        show: Callable[[Any], None] = lambda item: None,
    ) -> None:
        self.settings = settings
        self.terminal = terminal
        self.show = show
        self._progress = progress
        self._environ = environ
        self._explicit = context
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "journal" in self.__dict__:
            self.journal.close()
        if self.__dict__.get("replica") is not None:
            self.__dict__["replica"].close()
        self._closing.close()

    @cached_property
    def home(self) -> Home:
        return find_home(self._environ)

    @cached_property
    def clock(self) -> Clock:
        from rig.kernel.ids import SystemClock

        return SystemClock()

    @cached_property
    def contexts(self) -> FileContexts:
        return FileContexts(self.home, self.settings, self._environ, self._explicit)

    def known_context(self) -> Context | None:
        """The context of this invocation, if there is one: a command that needs none works without."""
        try:
            return self.contexts.current()
        except RigError:
            return None

    @property
    def has_platform(self) -> bool:
        """Whether a platform is known: a context, RIG_URL or `--context`."""
        return bool(self._explicit or self._environ.get("RIG_URL") or self.contexts.all())

    @cached_property
    def journal(self) -> Journal | AbsentJournal:
        """The local record. Where there can be none, commands that only read go on without."""
        from storage.journal import Journal

        try:
            return Journal.open(self._journal_path, origin="client", projections=_projections())
        except RigError as reason:
            from storage.absent import AbsentJournal

            return AbsentJournal(reason)

    @cached_property
    def evidence(self) -> Evidence:
        from storage.evidence import Evidence

        return Evidence(self._present_journal)

    @cached_property
    def node_evidence(self) -> Evidence:
        """The journal of the embedded node; closed with the client. Raises `RigError` ``not_found``."""
        from storage.evidence import Evidence
        from storage.journal import Journal
        from storage.projections.audit import AuditProjection
        from storage.projections.releases import ReleasesProjection

        path = os.path.join(self.home.node, "journal.sqlite")
        if not os.path.exists(path):
            raise RigError("not_found", "There is no Max node on this machine.", "Start one: `rig node start`.")
        opened = Journal.open(path, origin="node", projections=(AuditProjection(), ReleasesProjection()))
        journal = self._closing.enter_context(opened)
        return Evidence(lambda: journal)

    def _present_journal(self) -> Journal:
        """The local record, where it can be opened. Raises `RigError`."""
        from storage.absent import AbsentJournal

        if isinstance(self.journal, AbsentJournal):
            raise self.journal.reason
        return self.journal

    @property
    def _journal_path(self) -> str:
        return os.path.join(self.home.data, "journal.sqlite")

    @cached_property
    def replica(self) -> Replica | None:
        """What is known of the record of the current platform; its file is named after the platform's address."""
        context = self.known_context()
        if context is None:
            return None
        from storage.replica import Replica, file_name

        return Replica(os.path.join(self.home.data, "replicas", file_name(context.url)), _projections())

    @cached_property
    def texts(self) -> TextIndex:
        from storage.texts import TextIndex

        return TextIndex(os.path.join(self.home.cache, "words"), self._progress)

    def imported(self, path: str) -> Record:
        """What `rig journal import` made of an export; closed with the client."""
        from storage.imports import ImportedJournal

        if not os.path.exists(path):
            raise RigError("not_found", f"There is no file {path}.", "Make it: `rig journal import EXPORT`.")
        return self._closing.enter_context(ImportedJournal(path))

    def ask_sql(self, sql: str, source: str, path: str = "") -> list[dict[str, Any]]:
        """Ask the tables of a record in SQL."""
        from storage.sql import ask

        if source == "local":
            path = self._journal_path
            next(self.journal.rows("SELECT 1"), None)  # which brings the tables up to date
        elif source == "observed" and self.replica is not None:
            path = self.replica.path
            self.replica.size()  # likewise
        return ask(path, sql)

    @contextmanager
    def writing(self, path: str, *, overwrite: bool = False) -> Iterator[Callable[[str], Any]]:
        """Write a document: to a file, which is there when it is whole, or else to standard output."""
        if not path:
            yield self.show
            return
        from rig.clients.documents import writing_to

        with writing_to(path, overwrite=overwrite) as write:
            yield write

    @cached_property
    def tokens(self) -> Tokens:
        from rig.clients.keychain import Vault
        from rig.clients.logins import keychain_wanted
        from rig.clients.tokens import Tokens

        wanted = keychain_wanted(self.settings.get("keychain"), self.home)
        vault = Vault(self.home, keychain=wanted, note=self.terminal.note)
        return Tokens(self.home, self.contexts, vault, self._environ, self._oauth, self.clock)

    @cached_property
    def logins(self) -> ClientLogins:
        from rig.clients.logins import ClientLogins

        return ClientLogins(self.home, self.contexts, self.tokens, self._oauth, host=socket.gethostname())

    def _oauth(self, url: str, patience: Patience | None = None, /) -> OAuth:
        from rig.clients.oauth import open_oauth

        require_own_node(self.home.node, url)
        return open_oauth(url, patience, user_agent=USER_AGENT)

    @cached_property
    def transport(self) -> HttpTransport:
        """HTTP to the platform of the current context. Raises `RigError` ``login_required`` without one."""
        from rig.clients.http import HttpTransport

        context = self.contexts.current()
        require_own_node(self.home.node, context.url)
        return HttpTransport(context.url, lambda renew: self.tokens.access_token(context, renew), user_agent=USER_AGENT)

    @cached_property
    def platform(self) -> Platform:
        from rig.clients.platform import HttpPlatform

        return HttpPlatform(self.transport)

    @cached_property
    def platform_on_the_way(self) -> Platform:
        """The platform, for what a command can do without."""
        from rig.clients.http import BRIEF
        from rig.clients.platform import HttpPlatform, OnTheWay

        context, transport = self.contexts.current(), self.transport
        hurried = transport.with_patience(BRIEF, lambda renew: self.tokens.access_token(context, renew, BRIEF))
        return OnTheWay(HttpPlatform(hurried))

    @cached_property
    def sources(self) -> Sources:
        from rig.clients.sources import FolderSources

        return FolderSources(os.path.join(self.home.cache, "sources"), lambda: self.transport)

    @cached_property
    def inputs(self) -> Inputs:
        from rig.clients.inputs import Inputs as TypedAndRead

        return TypedAndRead(self.terminal)

    @cached_property
    def node_process(self) -> NodeProcess:
        from rig.clients.node_process import LocalNode

        return LocalNode(self.home.node, self._environ)

    def project(self, folder: str, environment: str = "") -> ProjectFile:
        """`rig.toml` of a folder, with one of its environments laid over it; an empty one where there is none."""
        return self._load_project(folder, environment).file

    def app_config(self, folder: str, environment: str = "") -> AppConfig:
        """The part of `rig.toml` that a release keeps."""
        return self._load_project(folder, environment).config

    def _load_project(self, folder: str, environment: str) -> Project:
        from rig.clients.project import load_project

        return load_project(folder, environment)

    def configuration(self, path: str) -> Configuration:
        """A `max.toml`; ``-`` is standard input."""
        from rig.clients.configuration import load_configuration

        return load_configuration(path)

    def open_browser(self, url: str) -> bool:
        """Show a page in the user's browser; whether one was found. The address comes from a platform, and a browser
        would open a file or run a script as gladly as a page."""
        import re
        import webbrowser

        if not re.fullmatch(r"https?://[!-~]+", url):
            return False
        try:
            return webbrowser.open(url)
        except webbrowser.Error:
            return False


def _projections() -> tuple[Projection, ...]:
    from storage.projections.audit import AuditProjection
    from storage.projections.changes import ChangesProjection
    from storage.projections.configuration import ConfigurationProjection
    from storage.projections.dashboard import DashboardProjection
    from storage.projections.releases import ReleasesProjection

    return (
        AuditProjection(),
        ReleasesProjection(),
        ConfigurationProjection(),
        ChangesProjection(),
        DashboardProjection(),
    )
