import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grnjax.data.edges import read_edges
from grnjax.errors import ConfigError, EdgeFormatError, GeneMismatchError, NonFiniteError
from grnjax.evaluation.support import draw_controls, measure_support, measure_top

TFS, TARGETS = 30, 150
NOTHING_KNOWN = pd.DataFrame({"tf": [], "target": []}, dtype=str)


def name_pairs(mask):
    """The True entries of [tf, target] as named edges."""
    row, column = np.nonzero(mask)
    return pd.DataFrame({"tf": [f"TF{i}" for i in row], "target": [f"g{i}" for i in column]})


def rank_pairs(scores):
    """Every pair of [tf, target] with its score as importance."""
    everything = name_pairs(np.ones_like(scores, dtype=bool))
    return everything.assign(importance=scores.ravel())


@pytest.fixture(scope="module")
def popularity():
    """Log odds that hold base rates and nothing else, as heavy-tailed as curated networks are."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 1, (TFS, 1)) + rng.normal(0, 1.2, TARGETS) - 3


@pytest.fixture(scope="module")
def reference(popularity):
    rng = np.random.default_rng(1)
    return rng.random(popularity.shape) < 1 / (1 + np.exp(-popularity))


def measure(scores, reference, *, known=NOTHING_KNOWN, tops=(150,), controls=200, seed=0):
    return measure_support(
        rank_pairs(scores), known, name_pairs(reference), seed=seed, tops=tops, controls=controls
    )


@pytest.mark.slow
def test_the_reference_itself_is_fully_supported_and_enriched(reference):
    rng = np.random.default_rng(2)
    scores = reference + rng.random(reference.shape) / 2
    row = measure(scores, reference).rows[0]
    assert row["supported"] == row["top"] == 150
    assert row["precision"] == 1
    assert row["enrichment"] > 1.5
    assert row["enrichment_low"] > 1.3
    assert row["p_value"] == pytest.approx(1 / 201)


@pytest.mark.slow
def test_base_rates_beat_a_uniform_draw_but_not_the_degree_matched_control(popularity, reference):
    rng = np.random.default_rng(3)
    noisy = popularity + rng.normal(0, 0.7, popularity.shape)  # leaves other pairings possible
    exact, loose = (measure(score, reference).rows[0] for score in (popularity, noisy))
    assert exact["uniform_enrichment"] > 2.5
    assert exact["enrichment"] == 1
    assert exact["p_value"] == 1
    assert exact["kept"] == 1  # nested targets: no other pairing has these degrees
    assert loose["uniform_enrichment"] > 2.5
    assert loose["enrichment"] == pytest.approx(1, abs=0.1)
    assert loose["enrichment_low"] < 1 < loose["enrichment_high"]
    assert loose["p_value"] > 0.05
    assert loose["kept"] < 0.8


@pytest.mark.slow
def test_p_values_of_rankings_without_pairing_are_valid(popularity, reference):
    rng = np.random.default_rng(4)
    p_values = []
    for seed in range(25):
        noisy = popularity + rng.normal(0, 1, popularity.shape)
        p_values.append(measure(noisy, reference, controls=19, seed=seed).rows[0]["p_value"])
    # Uniform ones would have 2.5 of 25 up to 0.1, sd 1.5, and a mean of 0.525, sd 0.058.
    assert sum(p <= 0.1 for p in p_values) <= 7
    assert 0.3 < np.mean(p_values) < 0.75


def test_controls_keep_every_degree_and_stay_among_the_allowed_pairs():
    rng = np.random.default_rng(5)
    chosen = rng.random((12, 40)) < 0.2
    allowed = chosen | (rng.random(chosen.shape) < 0.6)
    controls = list(draw_controls(chosen, allowed, np.random.default_rng(0), 20))
    for control in controls:
        np.testing.assert_array_equal(control.sum(axis=0), chosen.sum(axis=0))
        np.testing.assert_array_equal(control.sum(axis=1), chosen.sum(axis=1))
        assert not (control & ~allowed).any()
    assert len({control.tobytes() for control in controls}) == 20


def test_controls_are_drawn_evenly_from_all_that_share_the_degrees():
    chosen = np.eye(3, dtype=bool)  # six permutation matrices have these degrees
    controls = draw_controls(chosen, np.ones((3, 3), bool), np.random.default_rng(0), 1200)
    _, counts = np.unique([c.ravel() for c in controls], axis=0, return_counts=True)
    assert len(counts) == 6
    assert (np.abs(counts - 200) < 60).all()  # 4.6 standard deviations


@pytest.mark.slow
def test_other_names_and_another_order_of_rows_change_nothing(popularity, reference):
    rng = np.random.default_rng(6)
    scores = popularity + rng.normal(size=popularity.shape)
    ranked, curated = rank_pairs(scores), name_pairs(reference)
    known = curated.sample(40, random_state=0)
    wanted = measure_support(ranked, known, curated, seed=0, tops=(60, 300), controls=50)

    genes = sorted({*ranked["tf"], *ranked["target"]})
    renamed = dict(zip(genes, rng.permutation([f"x{i}y" for i in range(len(genes))]), strict=True))
    shuffled = ranked.sample(frac=1, random_state=1)
    relabelled = [frame.replace(renamed) for frame in (shuffled, known, curated)]
    actual = measure_support(*relabelled, seed=0, tops=(60, 300), controls=50)
    assert actual.rows == wanted.rows


def test_case_of_names_does_not_matter(popularity, reference):
    ranked, curated = rank_pairs(popularity), name_pairs(reference)
    mouse = curated.map(str.capitalize)
    wanted = measure_support(ranked, curated[:40], curated, seed=0, tops=(60,), controls=5)
    actual = measure_support(ranked, mouse[:40], mouse, seed=0, tops=(60,), controls=5)
    assert actual.rows == wanted.rows
    assert actual.report == wanted.report


def test_what_is_left_out_is_counted():
    ranked = pd.DataFrame(
        [
            ("A", "x", 9.0),  # known, and listed by the reference
            ("A", "y", 8.0),  # the one supported candidate
            ("a", "Y", 7.0),  # the same pair again
            ("A", "A", 6.0),
            ("A", "z", 5.0),
            ("A", "nowhere", 4.0),
            ("B", "x", 3.0),  # B is a target of the reference, never a TF
        ],
        columns=["tf", "target", "importance"],
    )
    known = pd.DataFrame([("A", "x"), ("C", "x"), ("B", "y")], columns=["tf", "target"])
    reference = pd.DataFrame(
        [("A", "X"), ("A", "Y"), ("C", "Z"), ("C", "B")], columns=["tf", "target"]
    )
    support = measure_support(ranked, known, reference, seed=0, tops=(1, 2, 3), controls=1)
    assert [row["top"] for row in support.rows] == [1, 2]
    assert [row["supported"] for row in support.rows] == [1, 1]
    assert support.report == {
        "ranked": 7,
        "self_loops": 1,
        "repeated_pairs": 1,
        "known": 1,
        "tfs_unknown_to_the_reference": {"count": 1, "first": ["B"]},
        "pairs_of_unknown_tfs": 1,
        "targets_unknown_to_the_reference": {"count": 1, "first": ["NOWHERE"]},
        "pairs_of_unknown_targets": 1,
        "candidates": 2,
        "candidates_listed": 1,
        "known_edges": 3,
        "known_edges_the_reference_could_list": 2,
        "known_edges_listed": 1,
        "tops_beyond_the_candidates": [3],
    }


@pytest.mark.slow
def test_known_edges_support_nothing(reference):
    rng = np.random.default_rng(7)
    known = reference & (rng.random(reference.shape) < 0.7)
    scores = 2.0 * known + rng.random(known.shape)  # has learnt its labels by heart
    remembered = measure(scores, reference).rows[0]
    told = measure(scores, reference, known=name_pairs(known)).rows[0]
    assert remembered["precision"] == 1
    assert told["precision"] < 0.1
    assert told["p_value"] > 0.05


def test_ties_at_the_end_of_a_top_are_counted():
    candidates = rank_pairs(np.array([[3.0, 2.0, 2.0, 2.0, 1.0]])).assign(listed=True)
    row = measure_top(candidates, 2, np.random.default_rng(0), controls=3)
    assert row["ties_left_out"] == 2


def test_a_ratio_without_support_in_any_control_is_none():
    scores = np.array([[4.0, 1.0], [2.0, 3.0]])
    reference = np.array([[False, True], [True, False]])
    row = measure(scores, reference, tops=(1,), controls=5).rows[0]
    assert row["supported"] == row["expected"] == 0
    assert row["enrichment"] is row["enrichment_low"] is row["enrichment_high"] is None


def test_mistakes_are_named(popularity, reference, caplog):
    ranked, curated = rank_pairs(popularity), name_pairs(reference)
    with pytest.raises(EdgeFormatError, match="ranking: no column importance among tf, target"):
        measure_support(curated, NOTHING_KNOWN, curated, seed=0)
    with pytest.raises(EdgeFormatError, match="reference: no column tf or target among a, b"):
        measure_support(ranked, NOTHING_KNOWN, pd.DataFrame({"a": [], "b": []}), seed=0)
    with pytest.raises(NonFiniteError, match="1 of 4,500 importances"):
        broken = ranked.assign(importance=[np.nan, *ranked["importance"][1:]])
        measure_support(broken, NOTHING_KNOWN, curated, seed=0)
    with pytest.raises(GeneMismatchError, match="TF0-g0, TF0-g1, the reference ENSG1-ENSG2"):
        ensembl = pd.DataFrame({"tf": ["ENSG1"], "target": ["ENSG2"]})
        measure_support(ranked, NOTHING_KNOWN, ensembl, seed=0)
    with pytest.raises(ConfigError, match="at least one control"):
        measure(popularity, reference, controls=0)
    with caplog.at_level(logging.WARNING, logger="grnjax"):
        assert measure(popularity, reference, tops=(10**6,)).rows == []
    assert "tops of [1000000] are left out" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "edges", "tf"),
    [
        ("trrust_rawdata.mouse.tsv", 6462, "Stat1"),
        ("trrust_rawdata.human.tsv", 8403, "STAT1"),
        ("collectri.csv.gz", 42716, "STAT1"),
    ],
)
def test_curated_files_are_read_and_hold_mdc_labels_in_either_case(file, edges, tf):
    if "GRNJAX_DATA" not in os.environ:
        pytest.skip("GRNJAX_DATA is not set: no curated networks to read")
    data = Path(os.environ["GRNJAX_DATA"])
    curated = read_edges(data / "priors" / file)
    assert len(curated) == edges
    assert tf in set(curated["tf"])
    labels = read_edges(data / "beeline_labels/Specific/mDC/TFs+500/BL--network.csv")
    ranked = labels.assign(importance=range(len(labels)))
    support = measure_support(ranked, NOTHING_KNOWN, curated, seed=0, tops=(100,), controls=5)
    listed = {"trrust_rawdata.mouse.tsv": 11, "trrust_rawdata.human.tsv": 25}
    assert support.report["candidates_listed"] == listed.get(file, 52)
