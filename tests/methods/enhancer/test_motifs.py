"""Motifs are the same whatever the form of the file, and what they are of is seen from it."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.errors import EdgeFormatError, GeneMismatchError
from grnjax.methods.enhancer.motifs import read_tf_motifs

PEAKS = pd.DataFrame(
    {
        "chromosome": ["chr1", "chr1", "chr2"],
        "start": [100, 300, 50],
        "end": [200, 400, 150],
        "peak": ["chr1:100-200", "chr1:300-400", "chr2:50-150"],
    }
)
NAMES, TFS = np.array(["A", "B", "C", "D", "G"]), np.array([0, 1, 3])
HITS = [("chr1:100-200", "A", 2), ("chr1:100-200", "B", 1), ("chr2:50-150", "A", 5)]
OF_PEAKS = np.array([[2, 0, 5], [1, 0, 0], [0, 0, 0]], np.float32)  # [tf, peak]
OF_GENES = np.array([[0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]], np.float32)  # [tf, gene]


def write_table(path, mark=":", end="-"):
    rows = [(p.replace(":", mark).replace("-", end), tf, score) for p, tf, score in HITS]
    pd.DataFrame(rows, columns=["peak", "tf", "score"]).to_csv(path, sep="\t", index=False)


def write_bed(path):
    lines = [p.replace(":", "\t").replace("-", "\t") + f"\t{tf}" for p, tf, _ in HITS]
    path.write_text("\n".join(lines) + "\nchr3\t1\t9\tA\n")


def write_matrix(path):
    frame = pd.DataFrame(OF_PEAKS.T, columns=["A", "B", "D"])
    frame.insert(0, "peak_id", ["chr1_100_200", "chr1_300_400", "chr2_50_150"])
    if path.suffix == ".parquet":
        frame.insert(1, "gene_short_name", ["X", "Y", "Z"])
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)


def read(path, peaks=PEAKS, **files):
    return read_tf_motifs(path, NAMES, TFS, peaks, **files)


@pytest.mark.parametrize("marks", [(":", "-"), ("_", "_"), ("-", "-")])
def test_a_table_of_hits_keeps_the_best_score_of_each_tf(tmp_path, marks):
    write_table(tmp_path / "hits.tsv", *marks)
    found = read(tmp_path / "hits.tsv")
    np.testing.assert_array_equal(found.hits.toarray(), OF_PEAKS)
    assert not found.of_genes and found.report["scores_differ"]
    assert found.report["tfs_without_motif"] == {"count": 1, "first": ["D"]}


def test_bed_hits_the_peaks_that_it_shares_a_base_with(tmp_path):
    write_bed(tmp_path / "hits.bed")
    np.testing.assert_array_equal(read(tmp_path / "hits.bed").hits.toarray(), OF_PEAKS > 0)


@pytest.mark.parametrize("name", ["hits.csv", "hits.parquet"])
def test_a_matrix_of_peaks_and_tfs(tmp_path, name):
    write_matrix(tmp_path / name)
    np.testing.assert_array_equal(read(tmp_path / name).hits.toarray(), OF_PEAKS)


def test_motifs_of_genes_keep_the_best_score_of_each_tf(tmp_path):
    """As `grnjax data motifs` writes hits in promoters."""
    rows = [("B", "A", 4.5), ("B", "A", 6.0), ("G", "A", 5.0), ("A", "D", 4.0)]
    table = pd.DataFrame(rows, columns=["target", "tf", "score"]).assign(start=7, p_value=1e-5)
    table.to_csv(tmp_path / "hits.tsv", sep="\t", index=False)
    found = read(tmp_path / "hits.tsv")
    expected = OF_GENES * np.array([[0, 6, 0, 0, 5], [0] * 5, [4, 0, 0, 0, 0]], np.float32)
    np.testing.assert_array_equal(found.hits.toarray(), expected)
    assert found.of_genes and found.report["scores_differ"]


def test_motifs_of_genes_in_three_forms(tmp_path):
    rows = [("A", "B"), ("A", "G"), ("D", "A"), ("D", "unknown")]
    pd.DataFrame(rows, columns=["TF", "target"]).to_csv(
        tmp_path / "list.tsv", sep="\t", index=False
    )
    matrix = pd.crosstab(*np.array(rows, object).T[::-1])
    matrix.rename_axis("gene").to_csv(tmp_path / "matrix.csv")
    csr = sparse.csr_matrix(matrix.to_numpy())
    parts = {"indptr": csr.indptr, "indices": csr.indices, "shape": csr.shape}
    names = {"genes": matrix.index.to_numpy(str), "tfs": matrix.columns.to_numpy(str)}
    np.savez(tmp_path / "parts.npz", **parts, **names)
    for name in ("list.tsv", "matrix.csv", "parts.npz"):
        for peaks in (None, PEAKS):
            found = read(tmp_path / name, peaks)
            assert found.of_genes
            np.testing.assert_array_equal(found.hits.toarray(), OF_GENES)


def test_motifs_become_tfs_by_a_table_and_complexes_become_both(tmp_path):
    hits = [("chr1:100-200", "m1", 1), ("chr2:50-150", "m2", 1)]
    frame = pd.DataFrame(hits, columns=["peak", "motif", "score"])
    frame.to_csv(tmp_path / "hits.tsv", sep="\t", index=False)
    (tmp_path / "factors.tsv").write_text("Motif\tFactor\nm1\tA\nm2\tA\nm2\tB\n")
    found = read(tmp_path / "hits.tsv", factors=tmp_path / "factors.tsv")
    np.testing.assert_array_equal(found.hits.toarray(), [[1, 0, 1], [0, 0, 1], [0, 0, 0]])
    frame.assign(motif=["A::B", "A"]).to_csv(tmp_path / "both.tsv", sep="\t", index=False)
    found = read(tmp_path / "both.tsv")
    np.testing.assert_array_equal(found.hits.toarray(), [[1, 0, 1], [1, 0, 0], [0, 0, 0]])


def test_motifs_that_meet_nothing_are_refused_in_a_sentence(tmp_path):
    path = tmp_path / "hits.tsv"
    write_table(path)
    with pytest.raises(EdgeFormatError, match="motifs in peaks, and there is no accessibility"):
        read(path, None)
    with pytest.raises(GeneMismatchError, match="Give hits on the same genome assembly"):
        read(path, PEAKS.assign(start=PEAKS["start"] + 7))
    frame = pd.read_csv(path, sep="\t").assign(tf="other")
    frame.to_csv(path, sep="\t", index=False)
    with pytest.raises(GeneMismatchError, match="no motif of the 3 TFs of the run .A, B, D. among"):
        read(path)
    write_matrix(tmp_path / "hits.csv")
    with pytest.raises(
        GeneMismatchError, match="none of its 3 peaks .* Give hits in the same peak"
    ):
        read(tmp_path / "hits.csv", PEAKS.assign(start=PEAKS["start"] + 7))
    (tmp_path / "edges.tsv").write_text("tf\tsomething\nA\tB\n")
    with pytest.raises(EdgeFormatError, match="no target beside the TF"):
        read(tmp_path / "edges.tsv")
