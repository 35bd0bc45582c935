"""Agreement of labels is phi over shared genes, and what agrees too well is named."""

import os

import numpy as np
import pytest

from grnjax.baselines.factors import LabelMatrix, label_matrix
from grnjax.data.expression import DataConfig
from grnjax.progress import logger
from grnjax.tasks.label_audit import audit_labels, measure_agreement
from grnjax.tasks.loading import load_folder
from grnjax.tasks.transfer import join_genes
from grnjax.types import LabelledPairs

GENES = 30
NAMES = np.array([f"G{i:02d}" for i in range(GENES)])


def make_labels(tfs, seed, genes=range(GENES), share=0.3):
    """Random labels of every TF with each of these genes but itself."""
    rng = np.random.default_rng(seed)
    pairs = [(tf, gene) for tf in tfs for gene in genes if gene != tf]
    labels = (rng.random(len(pairs)) < share).astype(np.float32)
    return label_matrix(LabelledPairs(np.array(pairs, np.int32), labels), np.array(tfs), GENES)


@pytest.fixture(autouse=True)
def heard(monkeypatch):
    """Messages reach the test even after another test has turned the logger to the terminal."""
    monkeypatch.setattr(logger, "propagate", True)


def test_phi_is_the_correlation_of_labels_over_the_genes_both_sets_have():
    source, target = make_labels([0, 3, 5], 0, range(25)), make_labels([3, 8], 1, range(4, 30))
    agreement = measure_agreement(source, target)
    for row, tf in enumerate(target.tfs):
        for column, other in enumerate(source.tfs):
            both = [gene for gene in range(4, 25) if gene not in (tf, other)]
            expected = np.corrcoef(target.labels[row, both], source.labels[column, both])[0, 1]
            assert agreement[row, column] == pytest.approx(expected, abs=1e-5)


def test_constant_labels_have_no_phi():
    source, target = make_labels([0, 1], 0), make_labels([1, 2], 1, share=1.1)
    rows = audit_labels(source, target, NAMES)
    assert [row["phi"] for row in rows] == [None, None]
    assert [row["nearest_phi"] for row in rows] == [None, None]


def test_a_copy_is_found_under_its_own_and_under_another_name(caplog):
    source = make_labels([0, 1, 2], 0)
    labels, observed = source.labels.copy(), source.observed.copy()
    target = LabelMatrix(np.array([0, 1, 9]), labels, observed)  # TF 9 carries the labels of TF 2
    target.labels[1] = make_labels([1], 7).labels
    rows = {row["tf"]: row for row in audit_labels(source, target, NAMES)}
    assert rows["G00"]["phi"] == pytest.approx(1)
    assert rows["G01"]["is_shared"] and abs(rows["G01"]["phi"]) < 0.6
    assert rows["G09"]["phi"] is None and not rows["G09"]["is_shared"]
    assert rows["G09"]["nearest_tf"] == "G02"
    assert rows["G09"]["nearest_phi"] == pytest.approx(1)
    assert rows["G09"]["nearest_common_targets"] == source.labels[2].sum()
    same, other = (record.message for record in caplog.records)
    assert "of the same TF" in same and "G00 (1.00)" in same
    assert "of another TF" in other and "G09 (G02 1.00)" in other


def test_independent_labels_raise_no_warning(caplog):
    audit_labels(make_labels([0, 1], 0), make_labels([1, 2], 1), NAMES)
    assert not caplog.records


@pytest.mark.parametrize(
    ("source", "tf", "phi"), [("mDC", "IRF8", 0.96), ("mESC", "Cbx7", 0.89)]
)
def test_the_mouse_networks_share_experiments(source, tf, phi):
    """The figures that flagship.md, section 0, gives for mHSC-E."""
    root = os.environ.get("GRNJAX_DATA")
    if not root:
        pytest.skip("GRNJAX_DATA is not set: no real data")
    source, target = (
        load_folder(f"Specific/{cell}/TFs+500", DataConfig(root=root))[0]
        for cell in (source, "mHSC-E")
    )
    trained, judged, _ = join_genes(source, target)
    rows = audit_labels(trained.labels, judged.labels, trained.dataset.genes.names)
    [row] = [row for row in rows if row["tf"] == tf]
    assert row["phi"] == pytest.approx(phi, abs=0.006)
