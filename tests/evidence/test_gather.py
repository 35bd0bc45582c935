"""Evidence is gathered in the order of the run, and never a copy of its known edges."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError, SplitError
from grnjax.evidence.gather import clear_evidence, gather_evidence
from grnjax.evidence.label_audit import SAME_EXPERIMENT
from grnjax.progress import logger
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds
from grnjax.types import Dataset, GeneTable, LabelledPairs


@pytest.fixture(scope="module")
def splits(candidates):
    folds = assign_folds(candidates, CrossFitConfig(repeats=1, folds=3), seed=0)
    return [fold.part.split for fold in folds]


@pytest.fixture
def offer(tmp_path):
    """Writes edges as a source and gives the entry of `--evidence`."""

    def write(edges, kind="network", name="other"):
        path = tmp_path / f"{name}.csv"
        edges[["tf", "target"]].to_csv(path, index=False)
        return f"{kind}={path}"

    return write


@pytest.fixture(autouse=True)
def heard(monkeypatch):
    """Messages reach the test even after another test has turned the logger to the terminal."""
    monkeypatch.setattr(logger, "propagate", True)


def rename_tfs(edges):
    return edges.assign(tf="X" + edges["tf"])


def random_edges(small_set, seed, tfs=5, targets=25):
    """Edges of TFs that the run does not have, to genes that it has."""
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(small_set.genes, targets, replace=False) for _ in range(tfs)]
    tf = np.repeat([f"Y{place}" for place in range(tfs)], targets)
    return pd.DataFrame({"tf": tf, "target": np.concatenate(drawn)})


def copy_mostly(edges, small_set, wrong, tf="TF01", name="XTF01"):
    """The targets of one TF under another name, of which so many are others."""
    rng, own = np.random.default_rng(0), edges.loc[edges["tf"] == tf, "target"].tolist()
    others = sorted(set(small_set.genes) - set(own) - {tf})
    kept = rng.choice(own, len(own) - wrong, replace=False)
    drawn = rng.choice(others, wrong, replace=False)
    return pd.DataFrame({"tf": name, "target": [*kept, *drawn]})


def test_expression_comes_first_and_then_the_blocks(dataset, small_set, offer):
    entries = [offer(small_set.known, "interactions"), offer(random_edges(small_set, 0))]
    evidence = gather_evidence(dataset, entries[::-1])
    kinds = [item.report["kind"] for item in evidence]
    assert kinds == ["expression", "interactions", "network"]  # networks last
    genes, tfs = len(dataset.genes.names), len(dataset.genes.tfs)
    for item in evidence:
        assert {len(block.values) for block in item.genes} == {genes}
        assert {block.values.shape for block in item.pairs} <= {(tfs, genes)}


def test_frozen_vectors_are_evidence_of_their_own(dataset, tmp_path):
    names = dataset.genes.names
    path = tmp_path / "vectors.npz"
    np.savez(path, genes=names, embedding=np.random.default_rng(0).normal(size=(len(names), 4)))
    _, vectors = gather_evidence(dataset, embedding=str(path))
    assert vectors.name == "embedding" and vectors.genes[0].values.shape == (len(names), 4)


def test_without_measured_genes_there_is_no_expression_evidence():
    names = np.array(["A", "B", "C"])
    nothing = np.zeros((0, 3), np.float32)
    genes = GeneTable(names, np.array([True, False, False]), nothing, np.zeros(3, bool))
    pairs = LabelledPairs(np.array([[0, 1]], np.int32), np.ones(1, np.float32))
    assert gather_evidence(Dataset(genes, pairs, {})) == []


def test_expression_alone_is_never_a_copy(dataset, splits):
    evidence = gather_evidence(dataset)
    cleared = clear_evidence(dataset, evidence, splits, ())
    assert cleared.evidence == evidence and cleared.overlap == []


def test_another_network_stays_and_its_nearness_is_told(dataset, small_set, splits, offer):
    evidence = gather_evidence(dataset, [offer(random_edges(small_set, 0))])
    cleared = clear_evidence(dataset, evidence, splits, ())
    assert cleared.evidence == evidence
    assert [row["tf"] for row in cleared.overlap] == sorted(set(small_set.known["tf"]))
    assert all(row["phi"] is None or row["phi"] < SAME_EXPERIMENT for row in cleared.overlap)
    assert {row["nearest_tf"] for row in cleared.overlap} <= {None, *(f"Y{i}" for i in range(5))}


@pytest.mark.parametrize("kind", ["network", "curated", "interactions"])
def test_a_copy_of_the_known_network_is_refused(kind, dataset, small_set, splits, offer):
    edges = rename_tfs(small_set.known) if kind == "network" else small_set.known
    evidence = gather_evidence(dataset, [offer(edges, kind)])
    with pytest.raises(SplitError, match="other.csv: a copy of the network under test"):
        clear_evidence(dataset, evidence, splits, ())


def test_a_copy_that_is_allowed_is_used_as_it_is(dataset, small_set, splits, offer):
    entry = offer(rename_tfs(small_set.known))
    evidence = gather_evidence(dataset, [entry])
    for allowed in ("other.csv", entry.removeprefix("network=")):
        cleared = clear_evidence(dataset, evidence, splits, (allowed,))
        assert cleared.evidence == evidence
    with pytest.raises(ConfigError, match="another.csv: allowed, but no source"):
        clear_evidence(dataset, evidence, splits, ("another.csv",))


def test_a_column_from_the_experiment_of_a_known_tf_is_left_out(
    dataset, small_set, splits, offer, caplog
):
    """Known edges name no pair that is none, so all other pairs of their TFs count as such."""
    near = copy_mostly(small_set.known, small_set, wrong=2)
    edges = pd.concat([random_edges(small_set, 0), near])
    evidence = gather_evidence(dataset, [offer(edges)])
    cleared = clear_evidence(dataset, evidence, splits, ())
    *before, offered = evidence
    *after, used = cleared.evidence
    assert after == before
    [(path, kept)] = used.report["columns"].items()
    assert kept == [f"Y{place}" for place in range(5)]
    assert offered.report["columns"][path] == ["XTF01", *kept]
    np.testing.assert_array_equal(used.genes[0].values, offered.genes[0].values[:, 1:])
    assert used.report["dropped_copies"][0].startswith("XTF01 (TF01 0.")
    [row] = [row for row in cleared.overlap if row["tf"] == "TF01"]
    assert row["nearest_tf"] == "XTF01" and SAME_EXPERIMENT < row["phi"] < 1
    assert "left out 1 of 6 columns" in caplog.text


def test_what_else_is_known_does_not_change_what_is_left_out(dataset, small_set, splits, offer):
    """A pair labelled 0 and a pair without a label are alike to `infer`."""
    near = copy_mostly(small_set.known, small_set, wrong=2)
    evidence = gather_evidence(dataset, [offer(pd.concat([random_edges(small_set, 0), near]))])
    known, names = dataset.known, dataset.genes.names
    place = np.flatnonzero(names == "TF05")[0]
    taken = set(map(tuple, known.pairs.tolist()))
    free = [(place, gene) for gene in range(len(names)) if (place, gene) not in taken]
    zeros = np.array([pair for pair in free if pair[1] != place][:10], np.int32)
    more = LabelledPairs(
        np.concatenate([known.pairs, zeros]),
        np.concatenate([known.labels, np.zeros(len(zeros), np.float32)]),
    )
    told = dataclasses.replace(dataset, known=more)
    reports = [clear_evidence(x, evidence, splits, ()).evidence[-1].report for x in (dataset, told)]
    assert reports[0] == reports[1] and reports[0]["dropped_copies"]
