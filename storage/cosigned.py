"""What platforms have countersigned of the journal of this machine, kept beside its pin.

One file for each platform, ``pins/NAME.cosigned``: its verifier key in the first line, then the note.
"""

from __future__ import annotations

import os
from hashlib import sha256

from rig.kernel.files import private_folder, write_atomic
from storage.checkpoint import COSIGNATURE, MAX_NOTE, Checkpoint, parse, parse_verifier_key


def keep(folder: str, note: str, verifier: str) -> None:
    """Keep a cosigned checkpoint. Raises `ValueError` where it is none of that key, or `OSError`."""
    from storage.witness import cosigned_at

    name, public = parse_verifier_key(verifier, COSIGNATURE)
    checkpoint = parse(note)
    if not cosigned_at(note, name, public):
        raise ValueError("the checkpoint does not carry a good countersignature")
    path = os.path.join(folder, f"{sha256(name.encode()).hexdigest()[:16]}.cosigned")
    private_folder(folder)
    earlier = read(path)
    if earlier is None or earlier[1].size <= checkpoint.size:
        write_atomic(path, f"{verifier}\n{note}".encode())


def read(path: str) -> tuple[str, Checkpoint] | None:
    """Who countersigned, and what; None where the file is missing or none of ours. Raises `OSError`."""
    try:
        with open(path, encoding="utf-8") as file:
            verifier, _, note = file.read(MAX_NOTE + 400).partition("\n")
        return verifier, parse(note)
    except (FileNotFoundError, ValueError):
        return None


def every(folder: str) -> list[tuple[str, Checkpoint]]:
    """All that is kept in a folder."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".cosigned"))
    except FileNotFoundError:
        return []
    return [found for name in names if (found := read(os.path.join(folder, name))) is not None]


def newest(folder: str, *, origin: str) -> tuple[int, str]:
    """The greatest size of the journal ``origin`` that was countersigned, and by whom; 0 where none was."""
    found = [(note.size, verifier.partition("+")[0]) for verifier, note in every(folder) if note.origin == origin]
    return max(found, default=(0, ""))
