"""What a new user meets in the first hour: progress, sizes, lists of TFs, signs of edges."""

import dataclasses
import time

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax import progress
from grnjax.data.candidates import list_candidates
from grnjax.data.edges import read_edges
from grnjax.data.tf_lists import find_own_list
from grnjax.errors import ConfigError
from grnjax.methods.method import make_method
from grnjax.tasks.door import infer
from grnjax.tasks.network_inference import InferenceConfig, estimate_run, tell_size


@pytest.fixture
def cells():
    """Cells in which GATA1 goes with KLF1 and against SPI1; ACTB is no TF."""
    rng = np.random.default_rng(0)
    gata1 = rng.poisson(20, 60)
    values = np.stack([gata1, gata1 + rng.poisson(3, 60), 60 - gata1, rng.poisson(9, 60)], axis=1)
    genes = ["GATA1", "KLF1", "SPI1", "ACTB"]
    return anndata.AnnData(values.astype(np.float32), var=pd.DataFrame(index=genes))


def test_the_list_of_the_species_names_tfs_where_no_list_is_given(cells, caplog):
    edges = infer(cells, method="pearson").edges
    assert set(edges["tf"]) == {"GATA1", "KLF1", "SPI1"} and "ACTB" in set(edges["target"])
    assert set(infer(cells, method="pearson", tfs="all").edges["tf"]) == set(cells.var_names)
    assert find_own_list(np.array(["Gata1", "Actb"]), "cells") == ["Gata1"]
    assert find_own_list(np.array(["ENSG00000102145"]), "cells") is None
    assert "all 1 genes count as TFs; --tfs=LIST" in caplog.text


def test_the_sign_of_the_correlation_stands_beside_each_edge(cells, tmp_path):
    edges = infer(cells, method="pearson").edges
    assert list(edges)[:4] == ["tf", "target", "importance", "expression_sign"]
    signs = edges.set_index(["tf", "target"])["expression_sign"]
    assert signs["GATA1", "KLF1"] == 1 and signs["GATA1", "SPI1"] == -1
    edges.to_csv(tmp_path / "edges.tsv", sep="\t", index=False)
    again = read_edges(tmp_path / "edges.tsv").set_index(["tf", "target"])["sign"]
    assert again["GATA1", "SPI1"] == -1


def test_a_run_says_first_how_many_pairs_there_are_and_what_they_take(dataset, monkeypatch):
    lines = []
    monkeypatch.setattr(progress.logger, "info", lines.append)
    for method in ("kernel-factor", "pearson"):
        config = InferenceConfig(method=make_method(method), repeats=5, folds=5)
        tell_size(config, dataset.genes)
    pairs = f"{len(list_candidates(dataset)):,} candidate pairs ({len(dataset.genes.tfs)} TFs x "
    assert all(line.startswith(pairs) for line in lines)
    assert "25 fits by kernel-factor; " in lines[0] and " GB on two cores" in lines[0]
    assert lines[1].endswith("1 fit by pearson")


def test_a_run_that_does_not_fit_is_refused_with_the_list_that_would(dataset, monkeypatch):
    method, tfs = make_method("kernel-factor"), len(dataset.genes.tfs)
    config = InferenceConfig(method=method, repeats=5, folds=5)
    sizes = len(dataset.genes.names), len(dataset.genes.expression), 25
    room = method.estimate(tfs - 1, *sizes).bytes
    monkeypatch.setattr("grnjax.tasks.network_inference.find_held", lambda: 10)
    monkeypatch.setattr("grnjax.tasks.network_inference.find_free", lambda: room - 10)
    with pytest.raises(ConfigError, match=f"give a list of at most {tfs - 1} TFs \\(--tfs\\)"):
        tell_size(config, dataset.genes)
    monkeypatch.setattr("grnjax.tasks.network_inference.find_free", lambda: 2 * room)
    tell_size(config, dataset.genes)
    monkeypatch.setattr("grnjax.tasks.network_inference.find_free", lambda: 1)
    with pytest.raises(ConfigError, match="give fewer genes or cells, or more memory"):
        tell_size(config, dataset.genes)


def test_long_tables_take_memory_and_a_shorter_one_is_named(dataset, monkeypatch):
    monkeypatch.setattr("grnjax.tasks.network_inference.MOST_LISTED", 100)
    config = InferenceConfig(method=make_method("kernel-factor"), top=100)
    genes = dataset.genes
    room = estimate_run(config, len(genes.tfs), genes).bytes
    monkeypatch.setattr("grnjax.tasks.network_inference.find_held", lambda: 0)
    monkeypatch.setattr("grnjax.tasks.network_inference.find_free", lambda: room)
    tell_size(config, genes)
    with pytest.raises(ConfigError, match="a shorter table .--top=100."):
        tell_size(dataclasses.replace(config, top="all"), genes)


def test_a_log_that_is_no_terminal_gets_lines_while_nothing_is_done(monkeypatch):
    lines = []
    monkeypatch.setattr(progress, "FIRST_LINE", 0.5)
    monkeypatch.setattr(progress.logger, "info", lambda *args: lines.append(args))
    with progress.ProgressBar(4, "fitting", unit="fit") as bar:
        time.sleep(1.3)
        bar.update()
    assert lines[0] == ("%s: %s %ss", "fitting", "4", "fit")
    assert len(lines) > 1 and "fitting: 0% after" in lines[1][0]
    told = progress.describe_progress("fitting", 1, 4, 90)
    assert told == "fitting: 25% after 90 s, about 4 min left"
    count = len(lines)
    time.sleep(1.2)
    assert len(lines) == count
