#!/usr/bin/env python3
"""Checks an export of a rig journal. This one file is all it takes: Python 3.9 or newer, its standard library, no rig.

    python3 -I -S verify_export.py EXPORT --key 'rig/client/…+…+…' [--pin CHECKPOINT]

KEY is the public key that you trust, as `rig journal info` prints it, or a file that holds it. It must come to you by
another way than the export: whoever could forge an export could put a key of their own into it. CHECKPOINT is an
earlier checkpoint that you have kept; the export must go on from it.

Exit code 0: verified. 1: it does not verify. 65: it cannot be told. docs/journal.md of rig describes the format.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Optional

FORMAT = "rig-journal-export/1"
END = "rig-journal-export-end/1"
MAX_LINE = 1 << 22
MAX_INT = 2**53 - 1
MAX_DEPTH = 500
"""Lists and maps within each other: far more than a record has, and fewer than break any reader of JSON."""
MAX_FINDINGS = 1000
TOLD = 5
"""Findings of each kind that are printed: of an edited range there is one for every record."""
UNPROVEN = frozenset({"NO_KEY", "BAD_PIN", "PIN_AHEAD", "UNREADABLE", "NOT_AN_EXPORT", "NO_CHECKPOINT"})
"""Findings that show no tampering, but leave something that cannot be told."""


class Bad(Exception):
    """What is wrong, as a finding: a code, a sentence, and the first and last position that it is about."""

    def __init__(self, code: str, message: str, first: int = -1, last: int = -1) -> None:
        super().__init__(message)
        self.finding = (code, message, first, max(first, last))


# -- Ed25519, RFC 8032, section 5.1, verification only ----------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)


def _add(a: Point, b: Point) -> Point:
    """The sum of two points in extended coordinates."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar: int, point: Point) -> Point:
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _decompress(data: bytes) -> Point:
    """The point that 32 bytes stand for; raises `ValueError` where they stand for none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        raise ValueError("not a point")
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_M1 % P
    if (x * x - square) % P or (x == 0 and sign):
        raise ValueError("not a point")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _compress(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = _decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is that of the key over the message."""
    try:
        if len(public) != 32 or len(signature) != 64:
            return False
        scalar = int.from_bytes(signature[32:], "little")
        if scalar >= ORDER:
            return False
        key = _decompress(public)
        challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
        minus = (P - key[0], key[1], 1, P - key[3])
        return bool(_compress(_add(_multiply(scalar, BASE), _multiply(challenge, minus))) == signature[:32])
    except ValueError:
        return False


# -- signed notes and checkpoints, C2SP signed-note and tlog-checkpoint -----------------------------------------------


Verify = Callable[[bytes, bytes, bytes], bool]
Json = dict[str, Any]
Pinned = Optional[tuple[int, bytes]]  # noqa: UP045 - for Python 3.9


def unbase64(text: str) -> bytes:
    """Raises `ValueError` for anything but what base64 would have written."""
    data = a2b_base64(text.encode("ascii"))
    if b2a_base64(data, newline=False).decode() != text:
        raise ValueError("not base64")
    return data


def read_key(text: str) -> tuple[str, bytes]:
    """Name and 32 bytes of a public key ``NAME+KEYID+BASE64``. Raises `Bad`."""
    name, identifier, encoded = [*text.strip().split("+", 2), "", ""][:3]
    try:
        data = unbase64(encoded)
    except ValueError:
        data = b""
    if not name or len(data) != 33 or data[:1] != b"\x01" or key_id(name, data[1:]).hex() != identifier:
        raise Bad("NO_KEY", f"{text.strip()[:80]!r} is no public key of a journal")
    return name, data[1:]


def key_id(name: str, public: bytes) -> bytes:
    """Four bytes that tell which key made a signature."""
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def read_checkpoint(note: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint, whoever signed it. Raises `ValueError`."""
    origin, size, root = [*note.partition("\n\n")[0].split("\n"), "", "", ""][:3]
    if not origin or not size.isdigit() or len(size) > 18 or str(int(size)) != size or len(unbase64(root)) != 32:
        raise ValueError("it is no checkpoint")
    return origin, int(size), unbase64(root)


def signed_by(note: str, name: str, public: bytes, verify: Verify = ed25519) -> bool:
    """Whether the note carries a good signature of this key."""
    text, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        return False
    for line in tail[:-1].split("\n"):
        signer, _, encoded = line[2:].partition(" ")
        try:
            data = unbase64(encoded)
        except ValueError:
            continue
        if line.startswith("\N{EM DASH} ") and signer == name and data[:4] == key_id(name, public):
            return bool(verify(public, text.encode() + b"\n", data[4:]))
    return False


# -- the Merkle tree, RFC 6962 and RFC 9162, section 2.1 --------------------------------------------------------------


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows: the roots of its perfect subtrees, the largest first."""

    def __init__(self, size: int, roots: list[bytes]) -> None:
        if size < 0 or len(roots) != bin(size).count("1") or any(len(root) != 32 for root in roots):
            raise Bad("NOT_AN_EXPORT", "the header's frontier does not belong to its first position")
        self.size, self.roots = size, list(roots)

    def append(self, leaf: bytes) -> None:
        carry = self.size
        while carry & 1:
            leaf = node_hash(self.roots.pop(), leaf)
            carry >>= 1
        self.roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self.roots:
            return hashlib.sha256(b"").digest()
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = node_hash(left, root)
        return root


def root_by_inclusion(leaf: bytes, pos: int, size: int, path: list[bytes]) -> bytes:
    """The root of the tree in which an audit path puts a leaf (RFC 9162, section 2.1.3.2). Raises `ValueError`."""
    last = size - 1
    if not 0 <= pos <= last:
        raise ValueError("the position is outside of the tree")
    for sibling in path:
        if last == 0:
            raise ValueError("the path is too long")
        if pos & 1 or pos == last:
            leaf = node_hash(sibling, leaf)
            while pos and not pos & 1:
                pos, last = pos >> 1, last >> 1
        else:
            leaf = node_hash(leaf, sibling)
        pos, last = pos >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    return leaf


def goes_on(old: int, old_root: bytes, size: int, root: bytes, proof: list[bytes]) -> bool:
    """Whether the tree of ``size`` leaves begins with that of ``old`` leaves (RFC 9162, section 2.1.4.2)."""
    if old in {size, 0}:
        return not proof and (old == 0 or old_root == root)
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if old > size or not proof:
        return False
    pos, last = old - 1, size - 1
    while pos & 1:
        pos, last = pos >> 1, last >> 1
    before = after = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if pos & 1 or pos == last:
            before, after = node_hash(node, before), node_hash(node, after)
            while pos and not pos & 1:
                pos, last = pos >> 1, last >> 1
        else:
            after = node_hash(after, node)
        pos, last = pos >> 1, last >> 1
    return before == old_root and after == root and last == 0


# -- the export -------------------------------------------------------------------------------------------------------


def read_json(line: bytes) -> Any:
    """A line as JSON; None where it is not in canonical form."""

    def refuse(text: str) -> None:
        raise ValueError(f"{text} is no integer")

    try:
        value = json.loads(line.decode(), parse_float=refuse, parse_constant=refuse)
        written = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None
    return value if written == line else None


def within_limits(value: Any) -> bool:
    """Whether no integer is too great, and nothing nested too deeply, for any reader: each stops at another place."""
    level, depth = [value], 0
    while level:
        nested = [list(each.values()) if isinstance(each, dict) else each for each in level]
        nested = [each for each in nested if isinstance(each, list)]
        if any(isinstance(each, int) and abs(each) > MAX_INT for each in level) or (nested and depth == MAX_DEPTH):
            return False
        level = [inner for each in nested for inner in each]
        depth += 1
    return True


def short(value: Any) -> str:
    """What stands in an export where something else is to stand, for a message."""
    return str(value)[:80]


def read_hashes(value: Any) -> list[bytes]:
    """Hashes that stand in an export as hexadecimal digits. Raises `ValueError` where they are none."""
    if not isinstance(value, list) or not all(isinstance(text, str) and len(text) == 64 for text in value):
        raise ValueError("it is no list of hashes")
    return [bytes.fromhex(text) for text in value]


Leaf = tuple[int, bytes, Any]
"""Position, leaf hash and proof of a record."""


class Export:
    """One check. ``findings`` are (code, sentence, first position, last position)."""

    def __init__(
        self,
        path: str,
        key: str,
        pin: str = "",
        *,
        verify: Verify = ed25519,
        read: Callable[[bytes], Any] = read_json,
    ) -> None:
        self.path, self.key, self.pin = path, key, pin
        self.verify, self.read = verify, read
        self.findings: list[tuple[str, str, int, int]] = []
        self.header: Json = {}
        self.count = self.size = self.anchored = 0
        self.root = b""
        """Root and size are those of the checkpoint that the export ends with."""
        self.end_root = b""
        """The root over the records up to the last one in the export."""

    @property
    def complete(self) -> bool:
        return self.header.get("complete") is True

    @property
    def verdict(self) -> str:
        codes = {finding[0] for finding in self.findings}
        return "verified" if not codes else "unverifiable" if codes <= UNPROVEN else "tampered"

    def check(self) -> Export:
        """Check everything; whatever is wrong is a finding, and nothing is raised."""
        try:
            with open(self.path, "rb") as file:
                self._check(file)
        except Bad as bad:
            self.findings.append(bad.finding)
        except OSError as error:
            self.findings.append(("UNREADABLE", f"it cannot be read: {error.strerror or error}", -1, -1))
        except Exception as error:  # whatever a forged file breaks has to be told, not raised
            broken = f"it holds something that no export does, and broke the check ({type(error).__name__})"
            self.findings.append(("EDITED", broken, -1, -1))
        return self

    def find(self, code: str, message: str, first: int = -1, last: int = -1) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append((code, message, first, max(first, last)))

    def _check(self, file: BinaryIO) -> None:
        digest = hashlib.sha256()
        line = file.readline(MAX_LINE)
        digest.update(line)
        self.header = self._head(line)
        origin = self.header["origin"]
        name, public = read_key(self.key)
        if name != origin:
            raise Bad("WRONG_ORIGIN", f"it says that it is of {short(origin)}, and the trusted key is that of {name}")
        pinned = self._read_pin(name, public)
        roots: dict[int, bytes] = {}
        leaves: list[Leaf] = []
        if self.complete:
            trailer, roots = self._contiguous(file, digest, pinned)
        else:
            trailer, leaves = self._picked(file, digest)
        if trailer.get("sha256") != digest.hexdigest():
            self.find("EDITED", "the bytes are not those that were written: the digest in the trailer is another one")
        if trailer.get("count") != self.count:
            self.find("GAP", f"the trailer counts {short(trailer.get('count'))} records, and {self.count} are here")
        if file.read(1):
            self.find("EDITED", "something stands behind the trailer")
        if not trailer.get("checkpoint") and not self.count:
            raise Bad("NO_CHECKPOINT", "it holds no record and no checkpoint, so it proves nothing")
        self._check_checkpoint(trailer, name, public)
        if self.complete:
            self._check_range(trailer, roots)
        else:
            self._check_picked(leaves)
        if pinned is not None:
            self._check_pin(pinned, roots)

    def _head(self, line: bytes) -> Json:
        header = self.read(line.rstrip(b"\n"))
        if not isinstance(header, dict) or not within_limits(header) or not isinstance(header.get("format"), str):
            raise Bad("NOT_AN_EXPORT", "the first line is no header of an export")
        if header["format"] != FORMAT:
            raise Bad("NOT_AN_EXPORT", f"it is of another format than {FORMAT}")
        first, end = header.get("first"), header.get("end")
        if type(first) is not int or type(end) is not int or not 0 <= first <= end:
            raise Bad("NOT_AN_EXPORT", "its header does not say which records it holds")
        if not isinstance(header.get("origin"), str) or not isinstance(header.get("complete"), bool):
            raise Bad("NOT_AN_EXPORT", "its header does not say of which journal it is, or whether it is complete")
        return header

    def _read_pin(self, name: str, public: bytes) -> Pinned:
        if not self.pin:
            return None
        try:
            with open(self.pin, encoding="utf-8", newline="") as file:
                note = file.read(1 << 16)
            origin, size, root = read_checkpoint(note)
        except OSError as error:
            self.find("BAD_PIN", f"the checkpoint {self.pin} cannot be read: {error.strerror or error}")
            return None
        except ValueError:
            self.find("BAD_PIN", f"{self.pin} holds no checkpoint")
            return None
        if origin != name or not signed_by(note, name, public, self.verify):
            self.find("BAD_PIN", f"the checkpoint {self.pin} is not signed by the trusted key")
            return None
        return size, root

    def _lines(self, file: BinaryIO, digest: Any) -> Iterator[tuple[bytes, Json]]:
        """Lines up to the trailer, as (bytes, JSON); the last one is the trailer and is not in the digest."""
        while True:
            line = file.readline(MAX_LINE)
            if not line.endswith(b"\n"):
                raise Bad("TRUNCATED", f"it breaks off after {self.count} records: the trailer is missing")
            data = line[:-1]
            value = self.read(data)
            if not isinstance(value, dict):
                raise Bad("EDITED", f"what follows {self.count} records is no JSON object in canonical form")
            ends = value.get("format") == END
            if ends and not within_limits(value):
                raise Bad("EDITED", "its trailer holds what no trailer does")
            yield data, value
            if ends:
                return
            digest.update(line)

    def _contiguous(self, file: BinaryIO, digest: Any, pinned: Pinned) -> tuple[Json, dict[int, bytes]]:
        """A whole range: every record is there, chained to the one before it. Gives the root at its end."""
        try:
            roots_before = read_hashes(self.header.get("frontier"))
        except ValueError as error:
            raise Bad("NOT_AN_EXPORT", "its header holds no tree of the records before its first one") from error
        frontier = Frontier(self.header["first"], roots_before)
        previous, roots, trailer = "", {}, {}
        for data, value in self._lines(file, digest):
            if pinned and frontier.size == pinned[0]:
                roots[frontier.size] = frontier.root()
            if value.get("format") == END:
                trailer = value
                break
            pos = frontier.size
            if value.get("pos") != pos:
                raise Bad("GAP", f"the record at {pos} is missing: {short(value.get('pos'))} follows", pos)
            if previous and value.get("prev") != previous:
                self.find("CHAIN_BREAK", f"records {pos - 1} and {pos} do not belong together", pos - 1, pos)
            leaf = hashlib.sha256(b"\x00" + data).digest()
            previous = leaf.hex()
            frontier.append(leaf)
            self.count += 1
        if frontier.size != self.header["end"]:
            self.find("GAP", f"the header promises records up to {self.header['end'] - 1}", frontier.size)
        roots[frontier.size] = frontier.root()
        return trailer, roots

    def _picked(self, file: BinaryIO, digest: Any) -> tuple[Json, list[Leaf]]:
        """Single records, each followed by its proof. Every proof leads to one root, that of the checkpoint."""
        leaves: list[Leaf] = []
        last = self.header["first"] - 1
        trailer: Json = {}
        lines = self._lines(file, digest)
        for data, value in lines:
            if value.get("format") == END:
                trailer = value
                break
            pos = value.get("pos")
            if not isinstance(pos, int) or not last < pos < self.header["end"]:
                raise Bad(
                    "GAP", f"the record at {short(pos)} follows {last} in a range up to {self.header['end']}", last
                )
            _, following = next(lines)
            if "proof" not in following:
                raise Bad("BAD_PROOF", f"the proof of record {pos} is missing", pos)
            leaves.append((pos, hashlib.sha256(b"\x00" + data).digest(), following["proof"]))
            last = pos
            self.count += 1
        return trailer, leaves

    def _check_checkpoint(self, trailer: Json, name: str, public: bytes) -> None:
        note = str(trailer.get("checkpoint"))
        try:
            origin, self.size, self.root = read_checkpoint(note)
        except ValueError as error:
            raise Bad("BAD_SIGNATURE", "it ends with no checkpoint that can be read") from error
        if not signed_by(note, name, public, self.verify):
            self.find("BAD_SIGNATURE", "its checkpoint is not signed by the trusted key")
        elif origin != name:
            self.find("WRONG_ORIGIN", f"its checkpoint is that of {short(origin)}")

    def _check_range(self, trailer: Json, roots: dict[int, bytes]) -> None:
        end = max(roots)
        self.end_root = roots[end]
        try:
            proven = goes_on(end, roots[end], self.size, self.root, read_hashes(trailer.get("consistency", [])))
        except ValueError:
            proven = False
        if not proven:
            first = self.header["first"]
            message = f"records {first} to {end - 1} are not the ones that the signed checkpoint was made over"
            self.find("ROOT_MISMATCH", message, first, end - 1)

    def _check_picked(self, leaves: list[Leaf]) -> None:
        for pos, leaf, proof in leaves:
            try:
                proven = root_by_inclusion(leaf, pos, self.size, read_hashes(proof)) == self.root
            except ValueError:
                proven = False
            if not proven:
                self.find("BAD_PROOF", f"record {pos} is not the one that the signed checkpoint was made over", pos)

    def _check_pin(self, pinned: tuple[int, bytes], roots: dict[int, bytes]) -> None:
        size, root = pinned
        known = {**roots, self.size: self.root}
        if size > self.size:
            self.find("PIN_AHEAD", f"the kept checkpoint covers {size} records, that of the export {self.size}")
        elif size in known and known[size] == root:
            self.anchored = size
        elif size in known:
            self.find(
                "ROOT_MISMATCH", f"the records up to {size - 1} are not the ones of the kept checkpoint", 0, size - 1
            )


COMPLETENESS = (
    "Completeness is not proven: each record is proven to stand in the journal, and records may have been left out."
)


def say(text: str) -> None:
    """Print a line. What a forger wrote must neither move the cursor nor end the check where ASCII is all there is."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    encoding = sys.stdout.encoding or "ascii"
    print(shown.encode(encoding, "backslashreplace").decode(encoding))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Check an export of a rig journal.")
    parser.add_argument("export", help="the file")
    parser.add_argument("--key", required=True, help="the public key that you trust, NAME+ID+BASE64, or a file with it")
    parser.add_argument("--pin", default="", help="a file with an earlier checkpoint that you have kept")
    given = parser.parse_args()
    key = given.key
    if os.path.isfile(key):
        try:
            with open(key, encoding="utf-8", errors="replace") as file:
                key = file.read(1 << 12)
        except OSError as error:
            parser.error(f"the key {key} cannot be read: {error.strerror or error}")
    export = Export(given.export, key, given.pin).check()
    kinds: dict[str, int] = {}
    for code, message, _, _ in export.findings:
        kinds[code] = kinds.get(code, 0) + 1
        if kinds[code] <= TOLD:
            say(f"{code}: {message}")
    for code, count in kinds.items():
        if count > TOLD:
            say(f"{code}: and {count - TOLD} more")
    say(f"{export.verdict}: {export.count} records")
    if export.verdict == "verified":
        header = export.header
        say(f"They are from {header['origin']}, which had {export.size} records then; root {export.root.hex()}.")
        if export.complete:
            say(f"Nothing is missing from {header['first']} to {header['end'] - 1}, in this order.")
        else:
            say(COMPLETENESS)
        if export.anchored:
            say(f"It goes on from the checkpoint over {export.anchored} records that you have kept.")
        elif given.pin:
            say("The kept checkpoint lies outside of what is here, and could not be compared.")
    return {"verified": 0, "tampered": 1}.get(export.verdict, 65)


if __name__ == "__main__":
    sys.exit(main())
