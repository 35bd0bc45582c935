"""The same data set whatever it is read from."""

import os

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.data.expression import DataConfig
from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.tasks.loading import (
    load_dataset,
    load_embedded,
    load_embedding,
    load_folder,
    load_splits,
)

SIMULATOR = SimulatorConfig(
    genes=50, tfs=6, master_regulators=2, cells=60, tfs_per_programme=2, steps=30
)


@pytest.fixture(scope="module")
def from_files(small_set):
    expression, _, network, _, tfs = small_set.arguments
    return load_dataset(expression, network, tfs, DataConfig())


def expect_same(dataset, expected):
    for name in ("names", "is_tf", "expression", "measured"):
        one, other = getattr(dataset.genes, name), getattr(expected.genes, name)
        assert one.dtype == other.dtype, name
        np.testing.assert_array_equal(one, other, err_msg=name)
    np.testing.assert_array_equal(dataset.known.pairs, expected.known.pairs)
    np.testing.assert_array_equal(dataset.known.labels, expected.known.labels)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_an_object_in_memory_is_what_the_files_are(kind, dtype, small_set, from_files):
    counts = small_set.counts.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
    obs, var = pd.DataFrame(index=counts.columns), pd.DataFrame(index=counts.index)
    data = anndata.AnnData(kind(counts.T.to_numpy(dtype)), obs=obs, var=var)
    network = small_set.known.sample(frac=1, random_state=3)
    expect_same(load_dataset(data, network, small_set.tfs, DataConfig()), from_files)


def test_what_is_given_in_memory_stays_as_it_was(small_set):
    data = anndata.AnnData(small_set.counts.T.astype(np.float32))
    before, network = data.X.copy(), small_set.known.copy()
    load_dataset(data, network, list(small_set.tfs), DataConfig())
    np.testing.assert_array_equal(data.X, before)
    pd.testing.assert_frame_equal(network, small_set.known)


def test_without_a_list_the_sources_are_the_tfs(small_set, from_files):
    expression, _, network, *_ = small_set.arguments
    dataset = load_dataset(expression, network, None, DataConfig())
    assert set(dataset.genes.names[dataset.genes.tfs]) == set(small_set.known["tf"])
    assert set(from_files.genes.names[from_files.genes.tfs]) == set(small_set.tfs)


def test_without_expression_the_network_alone_is_the_data_set(small_set):
    dataset = load_dataset(None, small_set.known, None, DataConfig())
    assert dataset.genes.expression.shape[0] == 0 and not dataset.genes.measured.any()
    named = set(small_set.known["tf"]) | set(small_set.known["target"])
    assert set(dataset.genes.names) == named


def test_an_empty_frame_is_refused_by_name(small_set):
    with pytest.raises(EdgeFormatError, match="network: no edges"):
        load_dataset(None, small_set.known.iloc[:0], None, DataConfig())


def test_the_embedded_set_knows_a_share_of_its_own_truth():
    config = EmbeddedConfig(simulator=SIMULATOR, known_share=0.5, seed=3)
    embedded, again = load_embedded(config), load_embedded(config)
    expect_same(again.dataset, embedded.dataset)
    names = embedded.dataset.genes.names
    known = set(map(tuple, names[embedded.dataset.known.pairs].tolist()))
    true = set(embedded.truth[["tf", "target"]].itertuples(index=False, name=None))
    assert known < true and len(known) == round(0.5 * len(true))
    other = load_embedded(EmbeddedConfig(simulator=SIMULATOR, known_share=0.5, seed=4))
    assert (other.dataset.genes.expression != embedded.dataset.genes.expression).any()


def test_a_folder_is_read_with_its_own_genes_and_another_expression_comes_first(
    genelink_folder, small_set, tmp_path
):
    folder = genelink_folder()
    dataset, beeline = load_folder(folder, DataConfig())
    assert dataset.genes.names.tolist() == sorted(small_set.genes)
    assert len(dataset.known) == len(small_set.truth)
    assert load_splits(beeline, dataset, "corrected") is None
    assert beeline.expression == folder / "BL--ExpressionData.csv"
    assert dataset.genes.names[~dataset.genes.measured].tolist() == ["G50", "TF04"]
    half = tmp_path / "half.csv"
    small_set.counts.iloc[:, :50].to_csv(half)
    dataset, _ = load_folder(folder, DataConfig(expression=str(half)))
    assert len(dataset.genes.expression) == 50


SET = "Perturbed/axolotl/TFs+7"


def test_a_set_finds_its_files_by_its_name(benchmark_root, small_set, caplog):
    caplog.set_level("INFO", logger="grnjax")
    root = str(benchmark_root)
    dataset, beeline = load_folder(SET, DataConfig(root=root))
    assert dataset.genes.names.tolist() == sorted(small_set.genes)
    assert dataset.genes.measured.sum() == len(small_set.counts)
    assert beeline.expression.name == "axolotl_120cells.csv.gz"
    covered = {"axolotl_10genes.csv": 10, "axolotl_120cells.csv.gz": len(small_set.counts)}
    assert dataset.report["genes_in_expression_files"] == covered
    assert load_splits(beeline, dataset, "corrected") is None
    assert "published splits for --data.split: Cave/sample1, Cave/sample3" in caplog.text

    by_path, found = load_folder(benchmark_root / "beeline_labels" / SET, DataConfig())
    expect_same(by_path, dataset)
    assert found.expression == beeline.expression
    other = str(beeline.expression.with_name("axolotl_10genes.csv"))
    dataset, beeline = load_folder(SET, DataConfig(root=root, expression=other))
    assert dataset.genes.measured.sum() == 10
    assert "genes_in_expression_files" not in dataset.report


def test_published_draws_are_numbered_by_their_samples(benchmark_root):
    root = str(benchmark_root)
    for setting, draws in (("Cave", [1, 3]), ("Cave/sample3", [3])):
        dataset, beeline = load_folder(SET, DataConfig(root=root, split=setting))
        splits = load_splits(beeline, dataset, "corrected")
        assert [split.draw for split in splits] == draws
        assert {split.kind for split in splits} == {"published"}
        assert len(dataset.report["published_splits"]) == len(draws)
    at_path = str(benchmark_root / "beeline_splits/Cave" / SET / "sample3")
    _, by_path = load_folder(SET, DataConfig(root=root, split=at_path))
    [again] = load_splits(by_path, dataset, "corrected")
    np.testing.assert_array_equal(again.test.pairs, splits[0].test.pairs)
    with pytest.raises(ConfigError, match="TFs.7 has Cave/sample1, Cave/sample3"):
        load_folder(SET, DataConfig(root=root, split="Cove"))


def test_the_protocol_decides_on_train_pairs_among_the_test_pairs(benchmark_root):
    folder = benchmark_root / "beeline_splits/Cave" / SET / "sample1"
    train, test = (pd.read_csv(folder / f"{part}_set.csv.gz") for part in ("Train", "Test"))
    positives = train[train["Label"] == 1][:4].assign(Label=0)
    pd.concat([test, positives]).to_csv(folder / "Test_set.csv.gz", index=False)
    config = DataConfig(root=str(benchmark_root), split="Cave/sample1")
    dataset, beeline = load_folder(SET, config)
    for protocol, kind, more in (
        ("corrected", "published", 0),
        ("as-published", "published, overlapping", 4),
    ):
        [split] = load_splits(beeline, dataset, protocol)
        assert split.kind == kind and len(split.test) == len(test) + more
        assert split.test.labels.sum() == test["Label"].sum()


def test_files_in_the_folder_are_used_unless_pairs_shall_be_drawn(genelink_folder):
    folder = genelink_folder("Train", "Test")
    dataset, beeline = load_folder(folder, DataConfig())
    [split] = load_splits(beeline, dataset, "corrected")
    assert split.kind == "published"
    dataset, beeline = load_folder(folder, DataConfig(split="draw"))
    assert load_splits(beeline, dataset, "corrected") is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, measured, file",
    [
        ("Specific/hESC/TFs+500", 537, "hESC_541genes"),
        ("Specific/hHEP/TFs+500", 722, "hHEP_830genes_merged"),
        ("Specific/mESC/TFs+500", 588, "mESC_642genes"),
        ("Non-Specific/mDC/TFs+500", 821, "mDC_TFs500"),
        ("STRING/mHSC-E/TFs+500", 205, "mHSC-E_209regulators"),
    ],
)
def test_real_sets_have_the_expression_that_is_written_about_them(name, measured, file):
    root = os.environ.get("GRNJAX_DATA")
    if not root:
        pytest.skip("GRNJAX_DATA is not set: no real data")
    dataset, beeline = load_folder(name, DataConfig())
    assert dataset.genes.measured.sum() == measured
    assert beeline.expression.name == f"{file}.csv.gz"
    assert dataset.report["edges"]["kept"] == dataset.report["edges"]["read"]


def test_an_embedding_follows_the_order_of_the_genes(from_files, small_set, tmp_path):
    genes = small_set.genes[::-1][:60]
    vectors = np.arange(60 * 3, dtype=np.float32).reshape(60, 3) + 1
    np.savez(tmp_path / "table.npz", genes=genes, embedding=vectors)
    table = anndata.AnnData(np.zeros((1, 60), np.float32), var=pd.DataFrame(index=genes))
    table.varm["X_model"] = vectors
    table.write_h5ad(tmp_path / "table.h5ad")
    assert load_embedding(DataConfig(), from_files) is None
    for path in (tmp_path / "table.npz", f"{tmp_path / 'table.h5ad'}:X_model"):
        embedding = load_embedding(DataConfig(embedding=str(path)), from_files)
        for gene, vector in zip(from_files.genes.names, embedding):
            expected = vectors[genes.index(gene)] if gene in genes else np.zeros(3)
            np.testing.assert_array_equal(vector, expected)
        assert from_files.report["embedding"]["absent"]["count"] == 20


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.rename(columns={"tf": "TF", "target": "Target"}),
        lambda frame: frame.rename(columns={"tf": "source"}).assign(note="from a paper"),
        lambda frame: frame.astype("category"),
        lambda frame: frame.assign(label=1.0, weight=2, sign="Activation"),
        lambda frame: frame.set_index(np.arange(len(frame))[::-1] * 3),
    ],
)
def test_a_frame_may_look_as_a_file_may(change, small_set, from_files):
    expression, _, _, _, tfs = small_set.arguments
    frame = change(small_set.known)
    expect_same(load_dataset(expression, frame, tfs, DataConfig()), from_files)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda frame: frame.rename(columns={"tf": "factor"}), "no TF and target among"),
        (lambda frame: frame.assign(label=2), "labels must be 0 or 1"),
        (lambda frame: frame.assign(label=np.nan), "labels must be 0 or 1"),
        (lambda frame: frame.assign(weight=np.inf), "weights are not finite"),
        (lambda frame: frame.assign(target=None), "row 1 has no target"),
        (lambda frame: frame.assign(tf=0.5), "the tf column holds numbers"),
    ],
)
def test_a_frame_is_checked_as_a_file_is(change, words, small_set):
    with pytest.raises(EdgeFormatError, match=f"^network: .*{words}"):
        load_dataset(None, change(small_set.known), None, DataConfig())


@pytest.mark.parametrize("kind", [tuple, np.array, pd.Series, set, iter])
def test_tfs_are_any_kind_of_names(kind, small_set, from_files):
    expression, _, network, *_ = small_set.arguments
    expect_same(load_dataset(expression, network, kind(small_set.tfs), DataConfig()), from_files)
