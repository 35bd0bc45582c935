"""Hostile .npz and .parquet files, positions, archives and records."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from tests.faults.hostile import convert, hostile, infer, train_with, write_counts


def write_npz(folder: Path, name: str, **arrays) -> list[str]:
    path = folder / f"{name}.npz"
    np.savez(path, **arrays)
    return train_with(folder, f"vectors={path}")


def pack(folder: Path, **members: bytes) -> list[str]:
    """An .npz file with these bytes as its members."""
    path = folder / "packed.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return train_with(folder, f"vectors={path}")


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def header(shape: str, kind: str = "<f4") -> bytes:
    """An .npy file that declares a shape and holds nothing."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


TWO = np.array(["GENE0", "GENE1"])
SQUARE = np.ones((2, 3), np.float32)


@hostile("UTF-8", "npz not UTF-8")
def build_not_utf8(folder):
    return write_npz(folder, "utf", genes=np.array([b"\xff\xfe", b"A"]), embedding=SQUARE)


@hostile("complex", "npz complex")
def build_complex(folder):
    return write_npz(folder, "complex", genes=TWO, embedding=SQUARE.astype(complex))


@hostile("shape", "npz 0-d genes")
def build_0d(folder):
    return write_npz(folder, "g0", genes=np.array("GENE0"), embedding=SQUARE)


@hostile("shape", "npz 2-d genes")
def build_2d(folder):
    return write_npz(folder, "g2", genes=TWO[:, None], embedding=SQUARE)


@hostile("takes", "npz declared shape")
def build_declared_npz(folder):
    return pack(folder, genes=npy(TWO), embedding=header("(2, 10000000000)"))


@hostile("not a readable", "npz negative shape")
def build_negative_npz(folder):
    return pack(folder, genes=npy(TWO), embedding=header("(-2, -3)"))


@hostile("not a readable", "npz text member")
def build_text_npz(folder):
    return pack(folder, genes=b"notnpy", embedding=npy(SQUARE))


@hostile("objects|pickle", "npz pickle")
def build_pickle_npz(folder):
    return write_npz(folder, "pickle", genes=TWO.astype(object), embedding=SQUARE)


@hostile("not a readable", "npz zip version")
def build_zip_version(folder):
    words = write_npz(folder, "version", genes=TWO, embedding=SQUARE)
    path = folder / "version.npz"
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 6 : place + 8] = struct.pack("<H", 990)
    path.write_bytes(content)
    return words


@hostile("takes", "npz bomb")
def build_npz_bomb(folder):
    zeros = header("(2, 100000000)") + bytes(800_000_000)
    return pack(folder, genes=npy(TWO), embedding=zeros)


# Parquet


@hostile("not a readable", "parquet metadata")
def build_parquet_metadata(folder):
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / "metadata.parquet"
    table = pa.table({"tf": ["A", "B"], "target": ["C", "D"]})
    parquet.write_table(table.replace_schema_metadata({b"pandas": b'{"index_columns": 7}'}), path)
    return convert(path)


@hostile("takes", "parquet of one long text")
def build_parquet_text(folder):
    import pyarrow as pa
    from pyarrow import parquet

    path, long = folder / "text.parquet", "A" * 100_000
    names = pa.array([long] * 20_000).dictionary_encode()
    table = pa.table({"tf": names, "target": pa.array(["B"] * 20_000)})
    parquet.write_table(table, path, store_schema=False)  # which would keep the dictionary
    return convert(path)


@hostile("takes", "parquet of equal numbers")
def build_parquet_rows(folder):
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / "rows.parquet"
    zeros = pa.array(np.zeros(2_000_000, np.float64))
    parquet.write_table(pa.table({f"GENE{i}": zeros for i in range(60)}), path)
    return infer(path)


@hostile("not a readable|cannot", "parquet cut short")
def build_parquet_cut(folder):
    path = folder / "cut.parquet"
    pd.DataFrame({"tf": ["A"] * 9, "target": ["B"] * 9}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-40] + b"PAR1")
    return convert(path)


# Positions, archives, records


@hostile("position|number|large", "huge positions")
def build_positions(folder):
    path = folder / "positions.bed"
    path.write_text(f"chr1\t{'9' * 30}\t{'9' * 31}\tGENE0\nchr1\t5\t6\tGENE1\n")
    return train_with(folder, f"positions={path}")


@hostile("position|number|large|interval", "positions of 5,000 digits")
def build_endless_positions(folder):
    path = folder / "positions.bed"
    path.write_text(f"chr1\t{'9' * 5000}\t{'9' * 5001}\tGENE0\nchr1\t5\t6\tGENE1\n")
    return train_with(folder, f"positions={path}")


@hostile("zip archive", "archive of another zip version")
def build_archive_version(folder):
    path = folder / "version.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("BEELINE-data/inputs/scRNA-Seq/mESC/ExpressionData.csv", ",c1\nA,1\n")
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 6 : place + 8] = struct.pack("<H", 990)
    path.write_bytes(content)
    return ["data", "fetch", "beeline", "--archive", str(path), "--out", str(folder / "data")]


@hostile("would unpack", "archive that inflates")
def build_archive_bomb(folder):
    path = folder / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("BEELINE-data/inputs/scRNA-Seq/mESC/ExpressionData.csv", "w") as file:
            for _ in range(700):
                file.write(bytes(1 << 20))
        archive.writestr("BEELINE-data/inputs/scRNA-Seq/mESC/GeneOrdering.csv", ",a,b\nA,1,1\n")
        archive.writestr("mouse-tfs.csv", "TF\nA\n")
    return ["data", "fetch", "beeline", "--archive", str(path), "--out", str(folder / "data")]


@hostile("record.json", "deep record")
def build_deep_record(folder):
    words = infer(write_counts(folder))
    (folder / "run").mkdir()
    (folder / "run/record.json").write_text("[" * 100_000 + "]" * 100_000)
    return words


@hostile("record.json", "record that is no record")
def build_odd_record(folder):
    words = infer(write_counts(folder))
    (folder / "run").mkdir()
    (folder / "run/record.json").write_text("[1, 2]")
    return words
