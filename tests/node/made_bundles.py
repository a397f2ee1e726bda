"""Trees made by hand, and the way into a store without HTTP."""

from __future__ import annotations

import io
from hashlib import sha256

from rig.contract.bundles import DIRECTORY, FILE, PART_SIZE, Entry, decode_directory, encode_directory
from rig.node.bundles.receive import receive
from rig.node.bundles.store import Store
from rig.wire import pack
from rig.wire.pack import PackObject, encode_pack


class Source:
    """Objects of a tree, made by hand."""

    def __init__(self) -> None:
        self.objects: list[PackObject] = []

    def content(self, data: bytes) -> bytes:
        digest = sha256(data).digest()
        for offset in range(0, len(data) or 1, PART_SIZE):
            part = data[offset : offset + PART_SIZE]
            self.objects.append(PackObject(pack.CONTENT, digest, len(data), offset, part))
        return digest

    def file(self, name: bytes, data: bytes, mode: int = FILE) -> Entry:
        return Entry(name, mode, len(data), self.content(data))

    def folder(self, name: bytes, *entries: Entry) -> Entry:
        encoding = encode_directory(entries)
        digest = sha256(encoding).digest()
        self.objects.append(PackObject(pack.DIRECTORY, digest, len(encoding), 0, encoding))
        return Entry(name, DIRECTORY, len(encoding), digest)

    def root(self, *entries: Entry) -> str:
        return self.folder(b"root", *entries).digest.hex()


def send(store: Store, objects: list[PackObject]) -> None:
    receive(store, io.BytesIO(b"".join(encode_pack(each.outgoing() for each in objects))))


def files_on_disk(store: Store) -> set[str]:
    return {
        str(path.relative_to(store.root))
        for path in store.root.rglob("*")
        if path.is_file() and "index" not in path.name
    }


def check_whole(store: Store) -> None:
    """Look at everything: each content is what its id says, and what counts as whole has all that is below it."""
    with store.index.change() as db:
        contents = [digest for (digest,) in db.execute("select id from contents")]
        whole = dict(db.execute("select id, body from directories where whole"))
    for digest in contents:
        assert sha256(store.read(digest)).digest() == digest
    for body in whole.values():
        for entry in decode_directory(body):
            assert entry.digest in (whole if entry.mode == DIRECTORY else contents)


def named_files(store: Store) -> set[str]:
    """The files that the index names."""
    with store.index.change() as db:
        segments = [store.segment(number) for (number,) in db.execute("select id from segments")]
        loose = [store.loose(digest) for (digest,) in db.execute("select id from contents where segment = 0")]
        partial = [store.partial_file(*row) for row in db.execute("select distinct content, size from parts")]
    return {str(path.relative_to(store.root)) for path in (*segments, *loose, *partial)}
