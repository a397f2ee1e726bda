"""Writes the golden records that are missing: ``python -m tests.storage.golden``."""

from __future__ import annotations

from tests.storage.golden import all_facts, example, path_of


def main() -> None:
    for fact in all_facts():
        path = path_of(fact.type, fact.sv)
        if not path.exists():
            path.write_bytes(example(fact))
            print(path)


if __name__ == "__main__":
    main()
