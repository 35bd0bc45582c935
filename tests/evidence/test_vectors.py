import os
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.evidence.vectors import read_vectors

NAMES = np.array(["A", "B", "C", "D"])
TFS = np.array([0, 3])
GENES = ["C", "X", "A", "D"]
TABLE = np.array([[0.5, -1, 2], [9, 9, 9], [1, 0.25, -3], [0.1, 0, 4]], np.float32)


def write_npz(folder, genes=GENES):
    np.savez(folder / "vectors.npz", genes=np.array(genes), embedding=TABLE)
    return folder / "vectors.npz"


def write_h5ad(folder):
    cells = np.zeros((2, len(GENES)), np.float32)
    data = anndata.AnnData(cells, var=pd.DataFrame(index=GENES), varm={"X_model": TABLE})
    data.write_h5ad(folder / "vectors.h5ad")
    return f"{folder / 'vectors.h5ad'}:X_model"


def write_csv(folder, genes=GENES, table=TABLE):
    pd.DataFrame(table, index=genes, columns=["x1", "x2", "x3"]).to_csv(folder / "vectors.csv")
    return folder / "vectors.csv"


def write_parquet(folder):
    pytest.importorskip("pyarrow", reason="parquet files need pyarrow")
    table = pd.DataFrame(TABLE, columns=["x1", "x2", "x3"])
    table.insert(0, "gene", GENES)
    table.to_parquet(folder / "vectors.parquet")
    return folder / "vectors.parquet"


@pytest.mark.parametrize("write", [write_npz, write_h5ad, write_csv, write_parquet])
def test_every_format_gives_each_gene_its_own_vector(write, tmp_path):
    evidence = read_vectors(write(tmp_path), NAMES, TFS, name="model")
    (block,) = evidence.genes
    np.testing.assert_array_equal(block.values, [TABLE[2], np.zeros(3), TABLE[0], TABLE[3]])
    np.testing.assert_array_equal(block.covered, [True, False, True, True])
    assert block.name == "model" and block.kernels == ("rbf", "linear")
    assert block.values.dtype == np.float32
    report = evidence.report
    assert report["kind"] == "vectors" and "vectors." in report["source"]
    assert (report["found"], report["tfs_found"], report["dim"]) == (3, 2, 3)
    assert report["absent"] == {"count": 1, "first": ["B"]}


@pytest.mark.parametrize("write", [write_npz, write_csv])
def test_relabelling_genes_permutes_the_vectors(write, tmp_path):
    order = np.array([2, 3, 0, 1])
    path = write(tmp_path)
    before, after = (read_vectors(path, names, TFS).genes[0] for names in (NAMES, NAMES[order]))
    np.testing.assert_array_equal(after.values, before.values[order])
    np.testing.assert_array_equal(after.covered, before.covered[order])


@pytest.mark.parametrize("write", [write_npz, write_csv])
def test_mouse_names_reach_human_ones_and_strangers_are_refused(write, tmp_path):
    names = np.array(["GATA1", "SOX2"])
    mouse = read_vectors(write(tmp_path, ["Sox2", "Gata1", "Klf1", "Spi1"]), names, TFS[:1])
    np.testing.assert_array_equal(mouse.genes[0].values, TABLE[[1, 0]])
    assert mouse.report["case_rule"] == "upper-case"
    with pytest.raises(GeneMismatchError, match="vectors"):
        read_vectors(write(tmp_path), names, TFS[:1])


def test_tables_with_gaps_or_repeated_genes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="missing or infinite"):
        read_vectors(write_csv(tmp_path, table=np.where(TABLE > 3, np.nan, TABLE)), NAMES, TFS)
    with pytest.raises(ConfigError, match="several rows"):
        read_vectors(write_csv(tmp_path, genes=["A", "B", "A", "C"]), NAMES, TFS)


def test_vectors_that_are_not_one_for_each_gene_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"2 genes and an embedding of shape \(4, 3\)"):
        read_vectors(write_npz(tmp_path, genes=["A", "B"]), NAMES, TFS)


def test_the_key_of_an_h5ad_is_asked_for(tmp_path):
    path, _, _ = write_h5ad(tmp_path).rpartition(":")
    with pytest.raises(ConfigError, match="has X_model, not None.*FILE.h5ad:KEY"):
        read_vectors(path, NAMES, TFS)


def test_a_file_that_is_damaged_or_would_run_code_is_refused(tmp_path):
    np.savez(tmp_path / "objects.npz", genes=NAMES.astype(object), embedding=TABLE)
    np.savez(tmp_path / "nameless.npz", embedding=TABLE)
    np.save(tmp_path / "single.npy", TABLE)
    whole = write_npz(tmp_path).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("objects.npz", "nameless.npz", "single.npy", "cut.npz", "absent.npz"):
        with pytest.raises(ConfigError, match=name):
            read_vectors(tmp_path / name, NAMES, TFS)


def test_the_published_geneformer_vectors_cover_871_genes_of_hesc():
    if "GRNJAX_DATA" not in os.environ:
        pytest.skip("GRNJAX_DATA is not set: it names the folder of the real data")
    root = Path(os.environ["GRNJAX_DATA"])
    genes = pd.read_csv(root / "beeline_labels/Specific/hESC/TFs+500/Target.csv")["Gene"]
    path = root / "foundation_side_files/geneformer_hESC_TFs500_gene_embedding_871x896.npz"
    names = np.sort(genes.to_numpy(str))
    evidence = read_vectors(path, names, TFS)
    block = evidence.genes[0]
    assert block.values.shape == (910, 896) and block.covered.sum() == 871
    with np.load(path) as arrays:
        place = arrays["genes"].tolist().index("GATA6")
        expected = arrays["embedding"][place]
    np.testing.assert_array_equal(block.values[names.tolist().index("GATA6")], expected)
