"""Exports, what checks them, and what it finds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.kernel.errors import RigError
from storage import keys, verify_export
from storage.checkpoint import sign
from storage.export import Selection, export, open_source
from storage.merkle import Frontier, leaf_hash
from storage.verify_export import Export, ed25519
from tests.storage.support import fill, tamper

COUNT = 13
SOME = Selection(positions=[0, 4, 5, 12], filter={"actor": "user:ana"})


def export_to(folder: Path, chosen: Selection | None = None) -> Path:
    """An export of the journal in ``folder``, beside it."""
    path = folder / "export.jsonl"
    with path.open("wb") as out, closing(open_source(str(folder / "journal.sqlite"))) as source:
        export(source, out.write, chosen or Selection(), verifier=trusted(folder), exported_at="2026-11-20T09:00:00Z")
    return path


def trusted(folder: Path) -> str:
    signer = keys.load(str(folder / "journal.key"))
    assert signer is not None
    return signer.verifier


def check(path: Path, key: str, pin: Path | None = None) -> tuple[str, list[str]]:
    report = Export(str(path), key, str(pin) if pin else "").check()
    return report.verdict, [finding[0] for finding in report.findings]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path, COUNT)
    return tmp_path


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The verifier as a stranger runs it: a single file, without site packages, in an empty folder."""
    alone = path.parent / "elsewhere"
    alone.mkdir(exist_ok=True)
    copy = shutil.copy(verify_export.__file__, alone)
    argv = [sys.executable, "-I", "-S", str(copy), str(path), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=alone, env={})


@pytest.mark.parametrize("first", [0, 1, 5, COUNT])
@pytest.mark.parametrize("end", [0, 1, 5, 8, COUNT])
def test_any_range_verifies(folder: Path, first: int, end: int) -> None:
    if first <= end:
        path = export_to(folder, Selection(first=first, end=end))
        report = Export(str(path), trusted(folder)).check()
        assert (report.verdict, report.count, report.complete) == ("verified", end - first, True)


def test_records_stand_in_it_byte_by_byte(folder: Path) -> None:
    lines = export_to(folder).read_bytes().splitlines()
    header, records, trailer = json.loads(lines[0]), lines[1:-1], json.loads(lines[-1])
    assert (header["first"], header["end"], header["complete"]) == (0, COUNT, True)
    assert trailer["count"] == len(records) == COUNT
    previous = "0" * 64
    for record in records:
        assert json.loads(record)["prev"] == previous
        previous = leaf_hash(record).hex()


def test_picked_records_are_proven_one_by_one_and_completeness_is_not(folder: Path) -> None:
    path = export_to(folder, SOME)
    report = Export(str(path), trusted(folder)).check()
    assert (report.verdict, report.count, report.complete) == ("verified", 4, False)
    assert report.header["filter"] == {"actor": "user:ana"}
    done = run(path, "--key", trusted(folder))
    assert done.returncode == 0
    assert "Completeness is not proven" in done.stdout


def test_a_stranger_checks_it_with_the_standard_library_alone(folder: Path) -> None:
    path = export_to(folder)
    done = run(path, "--key", trusted(folder), "--pin", str(folder / "pins" / "client.checkpoint"))
    assert done.returncode == 0, done.stderr
    assert f"Nothing is missing from 0 to {COUNT - 1}" in done.stdout
    assert f"the checkpoint over {COUNT} records" in done.stdout
    key = folder / "trusted"
    key.write_text(trusted(folder) + "\n")
    assert run(path, "--key", str(key)).returncode == 0


def test_the_trusted_key_has_to_be_given(folder: Path) -> None:
    done = run(export_to(folder))
    assert done.returncode == 2
    assert "--key" in done.stderr


@pytest.mark.parametrize("key", ["", "hello", "rig/client/1+00000000+AQ=="])
def test_a_key_that_is_none_proves_nothing(folder: Path, key: str) -> None:
    done = run(export_to(folder), "--key", key)
    assert (done.returncode, done.stdout.split(":")[0]) == (65, "NO_KEY")


def edit(path: Path, change: Callable[[list[bytes]], list[bytes]], *, digest: bool = True) -> None:
    """Rewrite the lines; with ``digest`` the trailer's count and digest are made to fit again."""
    lines = change(path.read_bytes().splitlines())
    if digest and lines[-1].startswith(b'{"checkpoint"'):
        trailer = json.loads(lines[-1])
        trailer["sha256"] = sha256(b"\n".join([*lines[:-1], b""])).hexdigest()
        trailer["count"] = sum(b'"prev"' in line for line in lines)
        lines[-1] = canonical(trailer)
    path.write_bytes(b"\n".join([*lines, b""]))


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def changed(line: bytes) -> bytes:
    return line.replace(b"user:ana", b"user:eve")


def with_field(line: bytes, **fields: Any) -> bytes:
    return canonical(json.loads(line) | fields)


WHOLE: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "a record edited": (lambda x: [*x[:4], changed(x[4]), *x[5:]], "CHAIN_BREAK"),
    "the last record edited": (lambda x: [*x[:-2], changed(x[-2]), x[-1]], "ROOT_MISMATCH"),
    "a record taken out": (lambda x: [*x[:4], *x[5:]], "GAP"),
    "the last record taken out": (lambda x: [*x[:-2], x[-1]], "GAP"),
    "the first record taken out": (lambda x: [x[0], *x[2:]], "GAP"),
    "two records exchanged": (lambda x: [*x[:4], x[5], x[4], *x[6:]], "GAP"),
    "a record repeated": (lambda x: [*x[:4], x[4], *x[4:]], "GAP"),
    "cut off": (lambda x: x[:6], "TRUNCATED"),
    "cut off, with a shorter range": (lambda x: [with_field(x[0], end=5), *x[1:6], x[-1]], "ROOT_MISMATCH"),
    "another beginning": (lambda x: [with_field(x[0], first=1, frontier=["00" * 32]), *x[2:]], "ROOT_MISMATCH"),
    "not canonical": (lambda x: [*x[:4], x[4].replace(b":", b": ", 1), *x[5:]], "EDITED"),
    "no JSON": (lambda x: [*x[:4], b"hello", *x[5:]], "EDITED"),
    "a float": (lambda x: [*x[:4], b'{"pos":3.0}', *x[5:]], "EDITED"),
    "another origin in the header": (lambda x: [with_field(x[0], origin="rig/client/0"), *x[1:]], "WRONG_ORIGIN"),
    "called incomplete": (lambda x: [with_field(x[0], complete=False), *x[1:]], "BAD_PROOF"),
    "no checkpoint": (lambda x: [*x[:-1], with_field(x[-1], checkpoint="")], "BAD_SIGNATURE"),
    "something behind it": (lambda x: [*x, b"{}"], "EDITED"),
    "a header that is none": (lambda x: [b"{}", *x[1:]], "NOT_AN_EXPORT"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_was_done_to_a_whole_range_is_found(folder: Path, name: str) -> None:
    change, code = WHOLE[name]
    path = export_to(folder)
    edit(path, change)
    verdict, codes = check(path, trusted(folder))
    assert codes[0] == code
    assert verdict == ("unverifiable" if code == "NOT_AN_EXPORT" else "tampered")


PICKED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "a record edited": (lambda x: [*x[:3], changed(x[3]), *x[4:]], "BAD_PROOF"),
    "a record moved": (lambda x: [*x[:3], with_field(x[3], pos=6), *x[4:5], *x[7:]], "BAD_PROOF"),
    "a record repeated": (lambda x: [*x[:3], *x[1:3], *x[3:]], "GAP"),
    "the proof of another record": (lambda x: [*x[:2], x[4], *x[3:]], "BAD_PROOF"),
    "no proof": (lambda x: [*x[:2], b'{"proof":[]}', *x[3:]], "BAD_PROOF"),
    "a proof that is none": (lambda x: [*x[:2], b'{"proof":7}', *x[3:]], "BAD_PROOF"),
    "called complete": (lambda x: [with_field(x[0], complete=True), *x[1:]], "GAP"),
}


@pytest.mark.parametrize("name", PICKED)
def test_what_was_done_to_picked_records_is_found(folder: Path, name: str) -> None:
    change, code = PICKED[name]
    path = export_to(folder, SOME)
    edit(path, change)
    verdict, codes = check(path, trusted(folder))
    assert (verdict, codes[0]) == ("tampered", code)


def test_a_record_left_out_of_picked_ones_cannot_be_seen(folder: Path) -> None:
    """Which is why the report says so."""
    path = export_to(folder, SOME)
    edit(path, lambda x: [*x[:3], *x[5:]])
    assert check(path, trusted(folder)) == ("verified", [])


def test_bytes_that_are_not_those_that_were_written(folder: Path) -> None:
    path = export_to(folder)
    edit(path, lambda x: [with_field(x[0], exported_at="2020-01-01T00:00:00Z"), *x[1:]], digest=False)
    assert check(path, trusted(folder)) == ("tampered", ["EDITED"])


def forge(folder: Path, key: Ed25519PrivateKey) -> Path:
    """The whole export made anew over an edited record, chained and signed with a key of the forger's own."""
    path = export_to(folder)
    origin = json.loads(path.read_bytes().splitlines()[0])["origin"]

    def rewrite(lines: list[bytes]) -> list[bytes]:
        frontier, previous, made = Frontier(), "0" * 64, [lines[0]]
        for line in lines[1:-1]:
            record = with_field(changed(line), prev=previous)
            leaf = leaf_hash(record)
            previous = leaf.hex()
            frontier.append(leaf)
            made.append(record)
        note = sign(key, key.public_key().public_bytes_raw(), origin, frontier.size, frontier.root()).note
        return [*made, with_field(lines[-1], checkpoint=note)]

    edit(path, rewrite)
    return path


def test_what_a_forger_wrote_does_not_reach_the_terminal(folder: Path) -> None:
    path = export_to(folder)
    lies = "\x1b[2J\x1b[Hverified: 13 records\n\x9b31m é \u202e"
    edit(path, lambda lines: [with_field(lines[0], origin=lies), *lines[1:]])
    done = run(path, "--key", trusted(folder))
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("WRONG_ORIGIN: it says that it is of \\x1b[2J\\x1b[Hverified: 13 records\\n\\x9b31m ")
    assert done.stdout.replace("\n", "").isprintable()
    assert not any(line.startswith("verified") for line in done.stdout.splitlines())


def test_of_each_kind_of_finding_a_few_are_printed(folder: Path) -> None:
    path = export_to(folder)
    edit(path, lambda lines: [lines[0], *map(changed, lines[1:])], digest=False)
    printed = run(path, "--key", trusted(folder)).stdout.splitlines()
    breaks = [line for line in printed if line.startswith("CHAIN_BREAK")]
    assert len(breaks) == 1 + verify_export.TOLD
    assert breaks[-1] == f"CHAIN_BREAK: and {len(check(path, trusted(folder))[1]) - 2 - verify_export.TOLD} more"
    assert {line.partition(":")[0] for line in printed} == {"CHAIN_BREAK", "EDITED", "ROOT_MISMATCH", "tampered"}


def test_a_forgery_signed_with_another_key_exits_1(folder: Path) -> None:
    path = forge(folder, Ed25519PrivateKey.generate())
    done = run(path, "--key", trusted(folder))
    assert (done.returncode, done.stdout.split(":")[0]) == (1, "BAD_SIGNATURE")


def test_a_forgery_with_the_stolen_key_is_caught_by_a_kept_checkpoint_alone(folder: Path) -> None:
    kept = folder / "pins" / "client.checkpoint"
    stolen = keys.load(str(folder / "journal.key"))
    assert stolen is not None
    path = forge(folder, stolen.private)
    assert check(path, trusted(folder)) == ("verified", [])
    assert check(path, trusted(folder), kept) == ("tampered", ["ROOT_MISMATCH"])
    assert run(path, "--key", trusted(folder), "--pin", str(kept)).returncode == 1


def test_a_kept_checkpoint_anchors_what_it_covers(folder: Path) -> None:
    kept = folder / "kept.checkpoint"
    shutil.copy(folder / "pins" / "client.checkpoint", kept)
    fill(folder, 4)
    report = Export(str(export_to(folder)), trusted(folder), str(kept)).check()
    assert (report.verdict, report.anchored, report.size) == ("verified", COUNT, COUNT + 4)
    old = export_to(folder, Selection(end=5))
    assert Export(str(old), trusted(folder), str(kept)).check().anchored == 0


@pytest.mark.parametrize(("content", "code"), [("hello", "BAD_PIN"), ("rig/client/1\n3\nAA==\n\n", "BAD_PIN")])
def test_a_kept_checkpoint_that_is_none(folder: Path, content: str, code: str) -> None:
    kept = folder / "kept.checkpoint"
    kept.write_text(content)
    assert check(export_to(folder), trusted(folder), kept) == ("unverifiable", [code])


def test_an_export_older_than_the_kept_checkpoint_cannot_be_told(folder: Path) -> None:
    path = shutil.copy(export_to(folder), folder / "old.jsonl")
    fill(folder, 1)
    assert check(Path(path), trusted(folder), folder / "pins" / "client.checkpoint") == ("unverifiable", ["PIN_AHEAD"])


def test_a_file_that_is_not_there(folder: Path) -> None:
    assert check(folder / "nothing.jsonl", trusted(folder)) == ("unverifiable", ["UNREADABLE"])


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE event SET rec = replace(rec, 'user:ana', 'user:eve') WHERE pos = 3",
        "DELETE FROM event WHERE pos = 3",
        "UPDATE event SET leaf = zeroblob(32) WHERE pos = 3",
        "DELETE FROM checkpoint",
        "UPDATE checkpoint SET note = 'hello'",
        "UPDATE head SET size = 12",
    ],
)
def test_a_journal_that_does_not_verify_is_not_exported(folder: Path, damage: str) -> None:
    tamper(folder, damage)
    with pytest.raises(RigError) as refused:
        export_to(folder)
    assert refused.value.code == "tampered"


@pytest.mark.parametrize(("first", "end"), [(0, COUNT + 1), (5, 4), (-1, 3)])
def test_what_is_not_there_is_not_exported(folder: Path, first: int, end: int) -> None:
    with pytest.raises(RigError) as refused:
        export_to(folder, Selection(first=first, end=end))
    assert refused.value.code == "not_found"


def test_an_empty_journal_proves_nothing(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    tamper(tmp_path, "DELETE FROM event", "DELETE FROM checkpoint", "UPDATE head SET size = 0, frontier = x''")
    assert check(export_to(tmp_path), trusted(tmp_path)) == ("unverifiable", ["NO_CHECKPOINT"])


RFC_8032 = [
    # Section 7.1, tests 1, 2, 3 and SHA(abc): public key, message, signature.
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
        "3dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_verifier_s_ed25519_agrees_with_rfc_8032(public: str, message: str, signature: str) -> None:
    key, text, made = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert ed25519(key, text, made)
    assert not ed25519(key, text + b"x", made)
    for at in (0, 31, 32, 63):
        assert not ed25519(key, text, made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :])
    assert not ed25519(key, text, made[:-1])
    assert not ed25519(key[:-1], text, made)
    # A scalar is below the order of the group, so that no signature has a second form.
    scalar = int.from_bytes(made[32:], "little") + verify_export.ORDER
    assert not ed25519(key, text, made[:32] + scalar.to_bytes(32, "little"))


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40))
def test_the_verifier_s_ed25519_agrees_with_the_one_that_signs(seed: bytes, message: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, made = key.public_key().public_bytes_raw(), key.sign(message)
    assert ed25519(public, message, made)
    assert not ed25519(public, message + b"x", made)
