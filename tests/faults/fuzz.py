"""A seeded fuzz of every reader: good files damaged at random, read in a watched process.

    python -m tests.faults.fuzz [--count N] [--seed S] [--reader NAME]

prints for each reader how many inputs were read and refused, its faults, memory and time. The
first input of each kind of fault is kept in the folder of --keep.
"""

import argparse
import collections
import gzip
import io
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

from tests.faults.readers import READERS
from tests.faults.watched import Outcome, Worker

HUGE = (2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
WORDS = (
    b"\0",
    b"\x1b[31m",
    b"\n",
    b"\r",
    b"\t\t",
    b",,",
    b'"',
    b"\xff\xfe",
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
    b"9" * 40,
    b"9" * 5000,
    b"[" * 3000,
    b"A" * 100_000,
    "\u202e".encode(),
)


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with one to four of: flipped, cut, spliced, zeroed, huge numbers, odd words."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if not data:
            break
        at, length = int(rng.integers(len(data))), int(2 ** rng.integers(0, 9))
        match rng.integers(8):
            case 0:
                data[at] ^= 1 << rng.integers(8)
            case 1:
                data[at] = rng.integers(256)
            case 2:
                del data[at : at + length]
            case 3:
                del data[at:]
            case 4:
                start = int(rng.integers(len(data)))
                data[at:at] = data[start : start + length]
            case 5:
                data[at : at + length] = bytes(len(data[at : at + length]))
            case 6:
                size = int(rng.choice([4, 8]))
                huge = HUGE[rng.integers(len(HUGE))] % 2 ** (8 * size)
                at -= at % size
                data[at : at + size] = huge.to_bytes(size, "little")
            case 7:
                data[at:at] = WORDS[rng.integers(len(WORDS))]
    return bytes(data)


def damage_inside(content: bytes, rng: np.random.Generator) -> bytes:
    """As `damage`, but two times of three within what is compressed, which stays whole itself."""
    if rng.integers(3) and content.startswith(b"\x1f\x8b"):
        return gzip.compress(damage(gzip.decompress(content), rng), mtime=0)
    if rng.integers(3) and content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = list(members)[rng.integers(len(members))]
        members[name] = damage(members[name], rng)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, member in members.items():
                archive.writestr(name, member)
        return packed.getvalue()
    return damage(content, rng)


def fuzz(
    name: str, count: int, seed: int, worker: Worker, keep: Path | None = None
) -> list[Outcome]:
    """The outcomes of so many damaged inputs of a reader; the first is of the good one."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    reader, outcomes = READERS[name], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / reader.file
        for number in range(count + 1):
            if number % 50 == 0:  # some readers write beside their file
                shutil.rmtree(folder)
                path.parent.mkdir()
                reader.write(path)
                content = path.read_bytes()
            if number:
                path.write_bytes(damage_inside(content, rng))
            outcome = worker.run(reader=name, path=str(path))
            if keep is not None and outcome.faults():
                keep.mkdir(parents=True, exist_ok=True)
                kind = "-".join([*outcome.faults(), (outcome.text.splitlines() or [""])[-1][:40]])
                kept = keep / f"{name}-{kind}".replace("/", "_").replace(" ", "_")
                if not kept.exists():
                    kept.write_bytes(path.read_bytes())
                    Path(f"{kept}.txt").write_text(outcome.text)
            outcomes.append(outcome)
    return outcomes


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100, help="inputs a reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", choices=READERS, action="append")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    total, faults = 0, collections.Counter()
    print(f"{'reader':<26}{'inputs':>7}{'read':>7}{'refused':>9}{'faults':>8}{'MiB':>6}{'s':>7}")
    with Worker() as worker:
        for name in given.reader or READERS:
            good, *outcomes = fuzz(name, given.count, given.seed, worker, given.keep)
            if good.end != "read":
                print(f"{name}: the good file is not read: {good.text}")
            ends = collections.Counter(outcome.end for outcome in outcomes)
            wrong = [fault for outcome in outcomes for fault in outcome.faults()]
            faults.update(wrong)
            total += len(outcomes)
            peak = max(outcome.peak for outcome in outcomes)
            seconds = max(outcome.seconds for outcome in outcomes)
            counts = f"{len(outcomes):>7}{ends['read']:>7}{ends['refused']:>9}{len(wrong):>8}"
            print(f"{name:<26}{counts}{peak:>6}{seconds:>7.2f}", flush=True)
    print(f"{total:,} inputs; faults: {dict(faults) or 'none'}")


if __name__ == "__main__":
    main()
