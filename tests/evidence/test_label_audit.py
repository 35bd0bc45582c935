"""Agreement of labels is phi over shared genes, and what agrees too well is named."""

import os

import numpy as np
import pytest

from grnjax.data.expression import DataConfig
from grnjax.data.label_matrix import LabelMatrix, label_matrix
from grnjax.evidence.label_audit import audit_labels, measure_agreement
from grnjax.progress import logger
from grnjax.tasks.loading import load_folder
from grnjax.tasks.transfer import join_genes
from grnjax.types import LabelledPairs

GENES = 30
NAMES = np.array([f"G{i:02d}" for i in range(GENES)])


def make_labels(tfs, seed, first=0, last=GENES, share=0.3):
    """Random labels of every TF with each of these genes but itself."""
    rng = np.random.default_rng(seed)
    pairs = [(tf, gene) for tf in tfs for gene in range(first, last) if gene != tf]
    labels = (rng.random(len(pairs)) < share).astype(np.float32)
    return label_matrix(LabelledPairs(np.array(pairs, np.int32), labels), np.array(tfs), GENES)


@pytest.fixture(autouse=True)
def heard(monkeypatch):
    """Messages reach the test even after another test has turned the logger to the terminal."""
    monkeypatch.setattr(logger, "propagate", True)


def test_phi_is_the_correlation_of_labels_over_the_genes_both_sets_have():
    source, target = make_labels([0, 3, 5], 0, last=25), make_labels([3, 8], 1, first=4)
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


def test_a_stricter_list_is_found_by_its_overlap_even_where_phi_is_low():
    source = make_labels([0], 0, share=0.7)
    target = LabelMatrix(source.tfs, source.labels.copy(), source.observed)
    strict = np.flatnonzero(source.labels[0])[:6]
    target.labels[:] = 0
    target.labels[0, strict] = 1
    [row] = audit_labels(source, target, NAMES)
    assert row["phi"] < 0.5 and row["overlap"] == 1
    assert row["overlap_by_chance"] == pytest.approx(source.labels.sum() / (GENES - 1))


def test_independent_labels_raise_no_warning(caplog):
    audit_labels(make_labels([0, 1], 0), make_labels([1, 2], 1), NAMES)
    assert not caplog.records


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cells", "tf", "nearest_tf", "phi"),
    [(("mESC", "mHSC-E"), "Cbx7", "Cbx7", 0.90), (("hESC", "hHEP"), "BRCA1", "KLF5", 0.92)],
)
def test_experiments_shared_by_published_networks_are_found(cells, tf, nearest_tf, phi):
    root = os.environ.get("GRNJAX_DATA")
    if not root:
        pytest.skip("GRNJAX_DATA is not set: no real data")
    sets = [load_folder(f"Specific/{cell}/TFs+500", DataConfig(root=root))[0] for cell in cells]
    trained, judged, _ = join_genes(*sets)
    rows = audit_labels(trained.labels, judged.labels, trained.dataset.genes.names)
    [row] = [row for row in rows if row["tf"] == tf]
    assert row["nearest_tf"] == nearest_tf
    assert row["nearest_phi"] == pytest.approx(phi, abs=0.005)
