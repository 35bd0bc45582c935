"""Rows of the label-free study: what each reads, and what it must not see."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from experiments.grnformer import label_free_rows as rows
from experiments.grnformer.label_free import (
    ALL,
    DETECTED,
    UNCOMMON,
    choose_pairs,
    find_reference,
    judge_rows,
)
from experiments.grnformer.label_free_mouse import join_peaks, place_table
from grnjax.data.compendium.lists import tabulate_lists
from grnjax.types import GeneTable

GENES = np.array([f"G{i}" for i in range(30)])


@pytest.fixture
def mixture(tmp_path):
    """Thirty genes a megabase apart; peaks at the sites of even ones, open in H1 alone."""
    rng = np.random.default_rng(0)
    places = [(f"chr{i % 3}", 1_000_000 * (i + 1), name) for i, name in enumerate(GENES)]
    text = "".join(f"{c}\t{start}\t{start + 1}\t{name}\t0\t+\n" for c, start, name in places)
    (tmp_path / rows.SITES).parent.mkdir()
    (tmp_path / rows.SITES).write_text(text)
    peaks = [
        (c, start + 100 * (i + 1), start + 100 * (i + 2))
        for i, (c, start, _) in enumerate(places)
        if i % 2 == 0
    ]
    lines = np.array(["H1"] * 20 + ["K562"] * 20)
    counts = np.zeros((40, len(peaks)))
    counts[:20] = np.arange(1, len(peaks) + 1)
    edges = [
        (tf, cell, g)
        for tf in ("G1", "TFX")
        for cell in ("H1", "hESC", "K562", "A549")
        for g in rng.choice(GENES, 12, replace=False)
    ]
    lists = tabulate_lists(pd.DataFrame(edges, columns=["tf", "cell", "target"]), GENES)
    return rows.Mixture(
        tmp_path,
        GENES,
        rng.random((40, 30)).astype(np.float32),
        pd.DataFrame(peaks, columns=["chromosome", "start", "end"]),
        sparse.csr_matrix(counts),
        np.array([f"c{i:02d}" for i in range(40)]),
        lines,
        lists,
    )


def test_accessibility_is_of_the_line_and_falls_with_distance(mixture):
    near, weighted = rows.measure_accessibility(mixture, mixture.lines == "H1")
    counts = 20 * np.arange(1, 16)
    expected, by_distance = np.zeros(30), np.zeros(30)
    distance = 100.0 * np.arange(1, 31, 2)
    expected[::2] = np.where(distance < rows.PROMOTER, counts, 0)
    by_distance[::2] = counts * np.exp(-distance / rows.DECAY)
    np.testing.assert_array_equal(near, expected)
    np.testing.assert_allclose(weighted, by_distance)
    assert not rows.measure_accessibility(mixture, mixture.lines == "K562")[0].any()


def test_candidates_leave_out_self_pairs_undetected_tfs_and_common_targets(mixture):
    found = choose_pairs(mixture, "H1", ["G1", "TFX"])
    assert not found[ALL][0, 1] and found[ALL].sum() == 59
    assert found[DETECTED].sum() == 29 and not found[DETECTED][1].any()
    assert 0 < found[UNCOMMON].sum() < 59 and (found[UNCOMMON] <= found[ALL]).all()


def test_an_undetected_tf_has_an_empty_row(mixture):
    table = rows.make_table(mixture, rows.cells_of(mixture, "H1"), ["G1", "TFX"])
    assert len(table.expression) == 20 and table.names[table.tfs].tolist() == ["G1"]
    placed = rows.place_rows(np.ones((1, 30)), table, mixture, ["TFX", "G1"])
    assert placed.sum(axis=1).tolist() == [0, 30]


def test_rows_are_judged_beside_what_they_add_to(mixture):
    class Results:
        rows: list = []

        def has(self, **where):
            return False

        def add(self, found):
            self.rows += found

    labels = np.zeros((2, 30), bool)
    labels[0, :10] = labels[1, 5:20] = True
    scores = {"a": np.tile(np.arange(30.0), (2, 1)), "b": labels + 0.01 * np.arange(30)}
    judge_rows(Results(), ("H1", ALL), scores, (labels, np.ones((2, 30), bool)), 50, lambda x: "a")
    [one, two] = Results.rows
    assert one["within_tf_auroc_difference"] == 0 and one["swap_micro"] == 0.5
    assert two["within_tf_auroc"] == two["swap_micro"] == 1.0
    assert two["within_tf_auroc_difference"] == round(1 - one["within_tf_auroc"], 6)


def test_every_row_with_accessibility_has_one_without():
    assert find_reference("enhancer, RNA + ATAC, cells of H1") == "enhancer, RNA alone, cells of H1"
    assert find_reference("enhancer, ATAC permuted, cells of all cells") == (
        "enhancer, RNA alone, cells of all cells"
    )
    assert find_reference("motif x accessibility") == "motif" and find_reference("rate") == "rate"


def test_peaks_join_tfs_and_genes(tmp_path):
    folder = tmp_path / "mouse_hsc_scatac_peaks"
    folder.mkdir()
    hits = {"peak_id": ["p1", "p2", "p3"], "gene_short_name": ["x", "y", "z"]}
    pd.DataFrame({**hits, "Sox2": [1, 0, 1], "Myc": [0, 1, 1]}).to_parquet(
        folder / "TFinfo_dataframe.parquet"
    )
    owners = pd.DataFrame({"peak_id": ["p1", "p1", "p3", "p9"]})
    owners.assign(gene_short_name=["Aa", "Bb", "Aa", "Cc"]).to_csv(
        folder / "processed_peak_file.csv.gz"
    )
    table = join_peaks(tmp_path)
    assert table.loc["Aa"].to_dict() == {"Sox2": 2, "Myc": 1}
    assert table.loc["Bb"].to_dict() == {"Sox2": 1, "Myc": 0} and "Cc" not in table.index
    names = np.array(["AA", "CC", "SOX2"])
    genes = GeneTable(names, names == "SOX2", np.ones((2, 3), np.float32), np.ones(3, bool))
    np.testing.assert_array_equal(place_table(table, genes, np.array([2])), [[2, 0, 0]])
