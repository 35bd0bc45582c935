"""What stands beside genes, cells, edges and weights in tables, and is none of them."""

import json

import numpy as np
import pandas as pd
import pytest

from grnjax.data.edges import read_edges
from grnjax.data.expression import DataConfig, read_expression
from grnjax.data.tf_lists import read_tf_list
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.storage.files import encode_json
from grnjax.tasks.door import infer
from grnjax.tasks.network_inference import InferenceConfig, check_settings

GENES = [f"G{i}" for i in range(8)]


@pytest.fixture
def counts():
    cells = [f"cell{i}" for i in range(12)]
    return pd.DataFrame(np.random.default_rng(0).poisson(9, (12, 8)), cells, GENES)


def read(table, tmp_path):
    table.to_csv(tmp_path / "table.csv")
    return read_expression(tmp_path / "table.csv", DataConfig(), set(GENES))


@pytest.mark.parametrize("name", ["n_counts", "percent.mt", "nCount_RNA", "total", "__no_feature"])
def test_sums_and_qualities_beside_genes_are_left_out_before_anything_is_counted(
    counts, tmp_path, name, caplog
):
    expected = read(counts, tmp_path)
    beside = counts.assign(**{name: counts.sum(axis=1) * 0.37})
    found = read(beside, tmp_path)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.genes.tolist() == GENES and f"no genes: {name}" in caplog.text


@pytest.mark.parametrize("name", ["Length", "Total", "effective_length"])
def test_sums_and_lengths_beside_cells_are_left_out(counts, tmp_path, name, caplog):
    expected = read(counts.T, tmp_path)
    found = read(counts.T.assign(**{name: 700}), tmp_path)
    np.testing.assert_array_equal(found.values, expected.values)
    assert f"no cells: {name}" in caplog.text


def test_spike_ins_are_said_to_count(counts, tmp_path, caplog):
    read(counts.assign(**{"ERCC-00002": 500}), tmp_path)
    assert "1 ERCC spike-ins count as genes" in caplog.text


def test_symbols_and_accessions_are_never_mixed(tmp_path):
    path = tmp_path / "omnipath.tsv"
    both = "source\ttarget\tsource_genesymbol\ttarget_genesymbol\nP1\tP2\tA\tB\nP1\tP3\tA\tC\n"
    path.write_text(both)
    assert read_edges(path)[["tf", "target"]].to_numpy().tolist() == [["A", "B"], ["A", "C"]]
    path.write_text("source\ttarget\tsource_genesymbol\nP1\tP2\tA\nP1\tP3\tA\n")
    assert read_edges(path)["tf"].tolist() == ["P1", "P1"]


@pytest.mark.parametrize("name", ["rank", "p_value", "adj.P.Val", "FDR"])
def test_weights_of_which_the_smallest_is_best_are_refused(tmp_path, name):
    path = tmp_path / "edges.tsv"
    path.write_text(f"TF\ttarget\t{name}\nA\tB\t1\nA\tC\t2\n")
    assert "weight" not in read_edges(path)
    with pytest.raises(ConfigError, match="small values are good ones in a column"):
        read_edges(path, weight_column=name)


def test_running_numbers_are_no_tfs(tmp_path):
    path = tmp_path / "edges.tsv"
    path.write_text("TF\ttarget\n1\tA\n2\tB\n3\tC\n")
    with pytest.raises(EdgeFormatError, match="the tf column holds numbers"):
        read_edges(path)
    path.write_text("TF\ttarget\n2623\t10661\n2623\t3043\n")  # Entrez ids of both
    assert read_edges(path)["tf"].tolist() == ["2623", "2623"]


def test_a_list_as_r_prints_it_keeps_its_first_name(tmp_path):
    (tmp_path / "tfs.txt").write_text('c("SOX2", "POU5F1", "NANOG")\n')
    assert read_tf_list(tmp_path / "tfs.txt") == ["SOX2", "POU5F1", "NANOG"]


def test_names_of_files_that_are_no_utf8_can_be_recorded():
    assert json.loads(encode_json({"expression": "caf\udce9.csv"})) == {
        "expression": "caf\udce9.csv"
    }


@pytest.mark.parametrize("seed", [-1, 2**70, 1.5, "a"])
def test_a_seed_that_is_none_is_refused_in_a_sentence(seed, counts):
    with pytest.raises(ConfigError, match="is no whole number from 0"):
        infer(counts, method="pearson", tfs=GENES[:2], seed=seed)


def test_a_seed_of_numpy_is_a_seed(counts):
    by_numpy, by_python = (
        infer(counts, method="pearson", tfs=GENES[:2], seed=seed).edges for seed in (np.int64(3), 3)
    )
    pd.testing.assert_frame_equal(by_numpy, by_python)


def test_more_fits_than_anyone_waits_for_are_refused():
    with pytest.raises(ConfigError, match="2,000,000 fits, more than 10,000"):
        check_settings(InferenceConfig(repeats=1_000_000, folds=2), has_known=True)
