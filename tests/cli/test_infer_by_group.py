"""`grnjax infer --by`: a network a group, what differs, what is left out, a run that goes on."""

import dataclasses
import json

import anndata
import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.data.expression_features import correlation
from grnjax.errors import ConfigError
from grnjax.methods.method import MethodConfig, Scorer
from grnjax.tasks.group_networks import GroupConfig, name_folders
from grnjax.tasks.network_inference import InferenceConfig

pytestmark = pytest.mark.usefixtures("other_lists")
GROUPS = ["--groups.resamples", 100, "--groups.compared-edges", 40]


@pytest.fixture(scope="module")
def adata(small_set):
    """The cells of the small set in two large groups and a small one, and some without a group.

    In group "T/x" the first TF goes with the first target, and only there has it any counts.
    """
    rng, counts = np.random.default_rng(0), small_set.counts.T.astype(np.float32)
    kind = rng.permutation(
        np.array(["B"] * 55 + ["T/x"] * 50 + ["rare"] * 12 + [np.nan] * 3, object)
    )
    edges = small_set.truth[~small_set.truth["target"].isin(small_set.tfs)]
    tf, target = edges.iloc[0][["tf", "target"]]
    counts[tf] = np.where(kind == "T/x", rng.poisson(60, 120), 0)
    counts[target] = np.where(kind == "T/x", 3 * counts[tf], rng.poisson(20, 120))
    cells = anndata.AnnData(counts.astype(np.float32))
    cells.obs["kind"], cells.obs["depth"] = pd.Categorical(kind), rng.normal(size=120)
    cells.uns["planted"] = [tf, target]
    return cells


@pytest.fixture
def words(adata, small_set, tmp_path):
    path = tmp_path / "cells.h5ad"
    adata.write_h5ad(path)
    return ["infer", path, "--tfs", small_set.folder / "tfs.txt", "--by", "kind", *GROUPS]


def read(folder, name="edges.tsv"):
    return pd.read_csv(folder / name, sep="\t")


@pytest.mark.slow
def test_what_is_planted_is_found_with_its_interval_and_a_finished_group_is_not_repeated(
    words, adata, cli, tmp_path, monkeypatch
):
    monkeypatch.setattr("grnjax.tasks.group_comparison.MOST_IN_MEMORY", 0)  # pairs: on disk
    words = [*words, "--method=pearson", "--out", tmp_path / "run"]
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    run, (tf, target) = tmp_path / "run", adata.uns["planted"]
    assert "left out: 1 of 3 groups, of fewer than 50 cells (--groups.least-cells): rare 12" in (
        outcome.err
    )
    assert "3 cells without a value of 'kind'" in outcome.err and "rare (12)" in outcome.out
    assert "differ by expression alone" in outcome.out
    record = json.loads((run / "run.json").read_text())["groups"]
    assert record["cells"] == {"B": 55, "T/x": 50} and record["left_out"] == {"rare": 12}
    assert record["folders"] == {"B": "groups/B", "T/x": "groups/T_x"}

    tfs = read(run, "tf_differences.tsv")
    row = tfs[(tfs["tf"] == tf) & (tfs["group"] == "T/x")].iloc[0]
    assert (
        row["detected"] == 1 and row["detected_difference_low"] > 0.8 and row["detected_q"] < 0.05
    )
    assert row["expression_difference_low"] > 0 and tfs.iloc[0]["tf"] == tf
    edges = read(run, "edge_differences.tsv")
    planted = edges[(edges["tf"] == tf) & (edges["target"] == target)].set_index("group")
    assert planted.loc["T/x", "correlation_low"] > 0.3  # no figure in B, where no cell has the TF
    assert np.isnan(planted.loc["B", "correlation"]) and planted.loc["B", "tf_detected"] == 0

    network = read(run / "groups/T_x")
    own = network[(network["TF"] == tf) & (network["target"] == target)].iloc[0]
    assert own["tf_detected"] == 1 and own["correlation"] > 0.5
    assert anndata.read_h5ad(run / "groups/T_x/network.h5ad").varp["grn"].nnz == len(network)

    assert "already finished" in cli(*words).err
    before = (run / "edge_differences.tsv").read_bytes(), (run / "run.json").read_text()
    kept = (run / "groups/B/edges.tsv").stat().st_mtime_ns
    for name in ("run.json", "edge_differences.tsv", "groups/T_x/edges.tsv"):
        (run / name).unlink()
    outcome = cli(*words)
    assert outcome.status == 0 and "groups/B: this run has already finished" in outcome.err
    assert "T_x/edges.tsv: it is missing" in outcome.err
    assert (run / "groups/B/edges.tsv").stat().st_mtime_ns == kept
    assert (run / "edge_differences.tsv").read_bytes() == before[0]
    assert json.loads((run / "run.json").read_text())["groups"] == json.loads(before[1])["groups"]


@pytest.mark.slow
def test_lists_of_other_cells_are_said_to_be_the_same_in_every_group(words, cli, tmp_path):
    outcome = cli(*words, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    assert "compendium gives a pair the same importance in every group" in outcome.out
    edges = read(tmp_path / "run", "edge_differences.tsv")
    assert (edges.groupby(["tf", "target"])["importance"].nunique() <= 1).all()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Learner(MethodConfig):
    """Could learn from known edges, and scores a pair by its |r| in the cells at hand."""

    READS = frozenset({"labels", "expression"})

    def fit_all(self, problem, parts, recorder, *, mesh=None):
        r = np.abs(correlation(problem.dataset.genes, problem.tfs))
        yield from (Correlated(problem.tfs, r) for _ in parts)


@dataclasses.dataclass(frozen=True, eq=False)
class Correlated(Scorer):
    tfs: np.ndarray
    matrix: np.ndarray

    def logits(self, pairs):
        return self.matrix[np.searchsorted(self.tfs, pairs.pairs[:, 0]), pairs.pairs[:, 1]][None]


@pytest.mark.slow
def test_a_method_that_learns_has_the_same_known_edges_in_every_group(adata, small_set):
    found = grnjax.infer(
        adata,
        small_set.known,
        method=Learner(),
        config=InferenceConfig(repeats=1, folds=2, known_share=0.5),
        by="kind",
        groups=GroupConfig(resamples=100),
    )
    assert found.report["notes"][0].startswith("Known edges are the same in every group")
    assert "go by q" in found.report["notes"][1]
    known = []
    for network in found.networks.values():
        edges = network.edges[network.edges["status"] == "known"]
        known.append({*zip(edges["tf"], edges["target"], strict=True)})
        assert network.edges["importance"].corr(network.edges["correlation"].abs()) > 0.99
    assert known[0] == known[1] and len(known[0]) > 100


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--by", "type"], "no column 'type' for --by; those that could serve are kind (3 values)"),
        (["--by", "depth"], "'depth' has 120 different values in 120 cells, so it is no grouping"),
        (["--groups.least-cells", 90], "all 3 groups of .obs column 'kind' have fewer than 90"),
        (["--groups.least-cells", 2], "at least 10"),
    ],
)
def test_what_is_refused_is_one_sentence(more, complaint, words, cli, tmp_path):
    outcome = cli(*words, *more, "--method=pearson", "--out", tmp_path / "run")
    assert outcome.status == 2 and complaint in outcome.err, outcome.err
    assert not (tmp_path / "run").exists()


def test_a_group_with_as_few_cells_as_meta_cells_is_named_before_any_is_ranked(
    words, cli, tmp_path
):
    more = ["--method=grnboost2", "--method.meta-cells", 52, "--out", tmp_path / "run"]
    outcome = cli(*words, *more)
    assert outcome.status == 2 and not (tmp_path / "run").exists()
    assert "group T/x: --method.meta-cells 52: 50 cells make 10 to 49 meta-cells" in outcome.err


def test_a_group_that_cannot_be_ranked_is_named_and_leaves_nothing(words, cli, tmp_path):
    flat = anndata.read_h5ad(words[1])
    flat.X[flat.obs["kind"] == "B"] = 1
    flat.write_h5ad(words[1])
    outcome = cli(*words, "--method=pearson", "--out", tmp_path / "run")
    assert outcome.status == 2 and "group B: " in outcome.err and not (tmp_path / "run").exists()


def test_settings_of_groups_need_a_column(words, cli, tmp_path):
    words = [word for word in words if word not in ("--by", "kind")]
    outcome = cli(*words, "--method=pearson", "--out", tmp_path / "run")
    assert outcome.status == 2 and "--by COLUMN" in outcome.err
    outcome = cli("infer", "--by", "kind", "--out", tmp_path / "run")
    assert outcome.status == 2 and "--by needs an expression file" in outcome.err


def test_from_python(adata, small_set, tmp_path):
    groups = GroupConfig(resamples=100, compared_edges=40)
    given = {"method": "pearson", "tfs": small_set.tfs, "by": "kind", "groups": groups}
    found = grnjax.infer(adata, folder=tmp_path / "run", **given)
    assert list(found.networks) == ["B", "T/x"] and found.report["left_out"] == {"rare": 12}
    assert found.differences.tfs.iloc[0]["tf"] == adata.uns["planted"][0]
    shuffled = adata[np.random.default_rng(1).permutation(adata.n_obs)].copy()
    again = grnjax.infer(shuffled, **given)
    pd.testing.assert_frame_equal(again.differences.edges, found.differences.edges)
    with pytest.raises(ConfigError, match="for by; those that could serve are kind"):
        grnjax.infer(adata, **(given | {"by": "type"}))
    with pytest.raises(ConfigError, match="by=COLUMN"):
        grnjax.infer(adata, **(given | {"by": None}))


def test_folders_are_plain_and_different():
    assert name_folders(["CD14+ Mono", "B", "b", "../x", "..", "x/y", "x y", "é"]) == {
        "CD14+ Mono": "groups/CD14+_Mono",
        "B": "groups/B",
        "b": "groups/b_2",
        "../x": "groups/x",
        "..": "groups/group",
        "x/y": "groups/x_y",
        "x y": "groups/x_y_2",
        "é": "groups/group_2",
    }
