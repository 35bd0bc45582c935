"""Controls destroy what they name and keep everything else, whatever the method."""

import dataclasses
import functools

import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.evaluation.rewiring import rewire_labels
from grnjax.evaluation.splits import draw_split
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock, TfSimilarity
from grnjax.methods import controls
from grnjax.methods.method import MethodConfig, Problem
from grnjax.types import Part

TFS, GENES = 6, 50
EMBEDDING = {
    how: functools.partial(controls.alter_embedding, how=how)
    for how in ("zero", "random", "permuted")
}
EVERY = {
    "labels": controls.rewire,
    "expression": controls.permute_expression,
    "evidence": controls.permute_sources,
    **{f"embedding {how}": control for how, control in EMBEDDING.items()},
}


def mark_genes():
    """Evidence in which each gene is known by its number."""
    values, every = np.arange(GENES, dtype=np.float32)[:, None], np.ones(GENES, bool)
    return Evidence("mark", "table", {}, genes=(GeneBlock("mark", values, every, ()),))


def mark_all(seed):
    """Evidence in which genes and TFs are known by their numbers; some genes are not covered."""
    gene, tf = np.arange(GENES, dtype=np.float32), np.arange(TFS)
    covered = np.random.default_rng(seed).random(GENES) < 0.8
    return Evidence(
        f"source {seed}",
        "table",
        {},
        genes=(GeneBlock("g", gene[:, None], covered, ("rbf",)),),
        pairs=(PairBlock("p", tf[:, None] * 100 + gene),),
        similarities=(TfSimilarity("s", np.add.outer(tf, tf)),),
    )


@pytest.fixture(scope="module")
def problem(dataset):
    """Two draws with two seeds each, an embedding with gaps, and evidence."""
    edges, genes = dataset.known.positives, len(dataset.genes.names)
    embedding = np.random.default_rng(1).normal(size=(genes, 5)).astype(np.float32)
    embedding[[3, 7, 30]] = 0
    return Problem(
        dataset=dataset,
        parts=[
            Part(draw_split("standard", edges, genes, draw), "", 10 * draw + seed)
            for draw in (3, 4)
            for seed in (0, 1)
        ],
        tfs=dataset.genes.tfs,
        trainable=dataset.genes.tfs,
        evidence=[mark_genes()],
        embedding=embedding,
        prepared="what was made once",
    )


def sort_rows(matrix):
    return matrix[np.lexsort(matrix.T)]


@pytest.mark.parametrize("name", list(EVERY))
def test_a_control_alters_the_field_that_it_names_and_no_other(name, problem):
    altered = EVERY[name](problem, 3)
    field = {"labels": "parts", "expression": "dataset"}.get(name, name.split()[0])
    changed = [
        f.name
        for f in dataclasses.fields(Problem)
        if getattr(altered, f.name) is not getattr(problem, f.name)
    ]
    assert changed == [field]


@pytest.mark.parametrize("name", [name for name in EVERY if name != "embedding zero"])
def test_a_control_is_drawn_from_its_seed(name, problem):
    def drawn(seed):
        altered = EVERY[name](problem, seed)
        return (
            [part.split.train.labels for part in altered.parts],
            altered.dataset.genes.expression,
            altered.evidence[0].genes[0].values,
            altered.embedding,
        )

    first, again, other = (drawn(seed) for seed in (3, 3, 4))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not all(np.array_equal(one, two) for one, two in zip(first, other, strict=True))


def test_rewired_labels_keep_the_degrees_and_the_test_pairs(problem):
    altered = controls.rewire(problem, 3)
    for before, after in zip(problem.parts[:2], altered.parts[:2], strict=True):
        assert after.split.test is before.split.test
        for name in ("train", "validation"):
            true, shuffled = getattr(before.split, name), getattr(after.split, name)
            np.testing.assert_array_equal(true.pairs, shuffled.pairs)
            for end in (0, 1):
                degrees = [np.bincount(x.pairs[:, end], x.labels) for x in (true, shuffled)]
                np.testing.assert_array_equal(*degrees)
        assert (before.split.train.labels != after.split.train.labels).any()


def test_only_the_parts_of_the_draw_are_rewired_each_by_its_own_seed(problem):
    altered = controls.rewire(problem, 4)
    assert [new is old for new, old in zip(altered.parts, problem.parts, strict=True)] == [
        True,
        True,
        False,
        False,
    ]
    for before, after in zip(problem.parts[2:], altered.parts[2:], strict=True):
        assert (after.name, after.seed) == (before.name, before.seed)
        for name in ("train", "validation"):
            expected = rewire_labels(getattr(before.split, name), seed=before.seed)
            np.testing.assert_array_equal(getattr(after.split, name).labels, expected.labels)
    one, other = (part.split.train.labels for part in altered.parts[2:])
    assert (one != other).any()
    assert controls.rewire(problem, 5).parts == problem.parts


def test_permuted_expression_is_the_same_profiles_at_other_genes(problem):
    before, after = (p.dataset for p in (problem, controls.permute_expression(problem, 0)))
    measured = before.genes.measured
    for name in ("names", "is_tf", "measured"):
        assert getattr(after.genes, name) is getattr(before.genes, name)
    assert after.known is before.known and after.report is before.report
    old, new = before.genes.expression, after.genes.expression
    moved = (old != new).any(axis=0)
    assert moved[measured].mean() > 0.9 and not moved[~measured].any()
    np.testing.assert_array_equal(sort_rows(new.T), sort_rows(old.T))


def test_embedding_controls_keep_the_coverage_and_say_nothing_of_whose_a_vector_is(problem):
    before = problem.embedding
    found = before.any(axis=1)
    zero, random, permuted = (control(problem, 0).embedding for control in EMBEDDING.values())
    for after in (zero, random, permuted):
        assert after.shape == before.shape and not after[~found].any()
    assert not zero.any()
    assert random[found].std() == pytest.approx(before[found].std(), rel=0.15)
    assert abs(np.corrcoef(random[found].ravel(), before[found].ravel())[0, 1]) < 0.2
    np.testing.assert_array_equal(sort_rows(permuted), sort_rows(before))
    assert (permuted != before).any(axis=1).sum() > 0.8 * found.sum()


@pytest.mark.parametrize("how", list(EMBEDDING))
def test_an_embedding_that_is_not_there_cannot_be_altered(how, problem):
    without = dataclasses.replace(problem, embedding=None)
    with pytest.raises(ConfigError, match=f"embedding-{how} needs an embedding: give --data.embe"):
        EMBEDDING[how](without, 0)


def test_genes_and_tfs_are_permuted_in_one_way_for_all_sources():
    marked = [mark_all(seed) for seed in range(3)]
    permuted = controls.permute_evidence(marked, seed=0)
    order = permuted[0].genes[0].values[:, 0].astype(int)
    tfs = np.diag(permuted[0].similarities[0].values) // 2
    assert sorted(order) == list(range(GENES)) and sorted(tfs) == list(range(TFS))
    assert (order != np.arange(GENES)).mean() > 0.8 and (tfs != np.arange(TFS)).any()
    for before, after in zip(marked, permuted, strict=True):
        assert (after.name, after.report) == (before.name, before.report)
        np.testing.assert_array_equal(after.genes[0].values[:, 0], order)
        np.testing.assert_array_equal(after.genes[0].covered, before.genes[0].covered[order])
        np.testing.assert_array_equal(after.pairs[0].values, tfs[:, None] * 100 + order)
        np.testing.assert_array_equal(after.similarities[0].values, np.add.outer(tfs, tfs))


def test_a_problem_without_sources_has_none_to_permute(problem):
    without = dataclasses.replace(problem, evidence=[])
    assert controls.permute_sources(without, 0).evidence == []


def test_methods_share_their_controls():
    """One function alters labels, and one expression, for all that read them as they are."""
    of = {name: MethodConfig.find(name)().controls() for name in MethodConfig.NAMED}
    learning = [name for name in of if "labels" in MethodConfig.find(name).READS]
    assert len(learning) >= 3 and len(of) > len(learning)
    for name, own in of.items():
        assert ("labels-rewired" in own) == (name in learning)
        if name in learning:
            assert own["labels-rewired"] is controls.rewire
    for name in set(of) - set(learning) - {"compendium"} | {"scRegNet"}:  # it reads no expression
        assert of[name]["expression-permuted"] is controls.permute_expression
