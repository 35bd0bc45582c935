import dataclasses

import numpy as np
import pytest

from grnjax.evaluation.metrics import swap_concordance
from grnjax.evidence.expression import describe_expression
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock, TfSimilarity
from grnjax.methods.controls import permute_evidence
from grnjax.methods.kernel_factor.bank import build_bank
from grnjax.methods.kernel_factor.fit import KernelFactorSettings, fit_kernel_factor
from grnjax.training import factor_ensemble, kernel_weights
from grnjax.training.factor_ensemble import EnsembleConfig
from grnjax.types import GeneTable, LabelledPairs

TFS, GENES = 20, 150
AT = np.arange(TFS)  # the TFs are the first genes
SILENT = 19  # a TF without labels
NEW_TFS = np.array([2, 11])
SETTINGS = KernelFactorSettings(training=EnsembleConfig(steps=90, evaluate_every=30))
PAIRS = np.argwhere(np.ones((TFS, GENES), bool)).astype(np.int32)


def uniform_block(name, values):
    return GeneBlock(name, values.astype(np.float32), np.ones(GENES, bool), ("rbf", "linear"))


@dataclasses.dataclass(frozen=True)
class Network:
    """A network whose TFs read two of the six numbers of each gene, and what sources say of it."""

    labels: np.ndarray  # [tf, gene]
    new_target: np.ndarray  # [gene], 2 for test, 1 for validation, 0 for train
    sources: dict[str, Evidence]

    def split(self, labels=None):
        """Train, validation and test pairs by target; two TFs lack train pairs, one all labels."""
        labels = self.labels if labels is None else labels
        every = LabelledPairs(PAIRS, labels[tuple(PAIRS.T)])
        part = self.new_target[PAIRS[:, 1]]
        train = (part == 0) & ~np.isin(PAIRS[:, 0], NEW_TFS)
        parts = [train, part == 1, part == 2]
        return [every.take(chosen & (PAIRS[:, 0] != SILENT)) for chosen in parts]


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(0)
    planted, noise = rng.normal(size=(2, GENES, 6))
    reads = rng.normal(size=(TFS, 2))
    logits = rng.normal(size=(TFS, 1)) - 0.5 + 0.7 * rng.normal(size=GENES)
    logits = logits + 1.2 * reads @ planted[:, :2].T
    labels = (rng.random((TFS, GENES)) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    hint = (logits + 3 * rng.normal(size=logits.shape)).astype(np.float32)
    alike = (reads @ reads.T).astype(np.float32)
    measured = rng.random(GENES) < 0.8
    cells = rng.gamma(1, size=(60, GENES)).astype(np.float32) * measured
    table = GeneTable(np.array([f"G{i:03d}" for i in range(GENES)]), AT < TFS, cells, measured)
    sources = {
        "planted": Evidence("planted", "table", {}, (uniform_block("planted", planted),)),
        "noise": Evidence("noise", "table", {}, (uniform_block("noise", noise),)),
        "hint": Evidence("hint", "curated", {}, pairs=(PairBlock("hint", hint),)),
        "partners": Evidence(
            "partners", "links", {}, similarities=(TfSimilarity("partners", alike),)
        ),
        "expression": describe_expression(table, AT),
    }
    role = rng.permutation(np.repeat([0, 1, 2], [90, 25, 35]))
    return Network(labels, role, sources)


def build(sources, **options):
    settings = {"labelled": np.delete(AT, SILENT), "most_genes": SETTINGS.most_genes}
    return build_bank(list(sources), AT, GENES, **(settings | options))


def fit(bank, parts, settings=SETTINGS, seed=0):
    return fit_kernel_factor(bank, parts[0], parts[1], settings, seed=seed, disjoint=True)


def swap_of(fitted, test):
    return swap_concordance(test.pairs, test.labels, fitted.logits()[tuple(test.pairs.T)])["micro"]


@pytest.fixture(scope="module")
def sources(network):
    return [network.sources[name] for name in ("planted", "noise", "hint", "partners")]


@pytest.fixture(scope="module")
def bank(sources):
    return build(sources)


@pytest.fixture(scope="module")
def fitted(bank, network):
    return fit(bank, network.split())


@pytest.fixture(scope="module")
def by_identity(network):
    """The fit without any evidence."""
    return fit(build([]), network.split())


def test_unseen_targets_are_told_apart_by_the_planted_block(fitted, network):
    test = network.split()[2]
    known = ~np.isin(test.pairs[:, 0], NEW_TFS)
    assert swap_of(fitted, test.take(known)) > 0.75


@pytest.mark.slow
def test_with_evidence_of_other_genes_nothing_is_left(sources, network):
    test = network.split()[2]
    controls = [build(permute_evidence(sources, seed)) for seed in range(4)]
    swaps = [swap_of(fit(control, network.split()), test) for control in controls]
    assert np.mean(swaps) == pytest.approx(0.5, abs=0.05) and max(swaps) < 0.6


def test_the_planted_block_gets_the_weight_and_noise_does_not(bank, fitted):
    shares = fitted.learned.weights / fitted.learned.weights.sum()
    of = {name: shares[np.array(bank.blocks) == name].sum() for name in ("planted", "noise")}
    assert of["planted"] > 0.8 and of["noise"] < 0.1


def test_by_identity_alone_what_was_not_seen_has_base_rates_only(by_identity, network):
    logits = by_identity.logits()
    new_target = network.new_target > 0
    new_tf = np.isin(AT, [*NEW_TFS, SILENT])
    columns, rows = logits[:, new_target], logits[new_tf]
    np.testing.assert_array_equal(columns, np.repeat(columns[:, :1], columns.shape[1], axis=1))
    np.testing.assert_array_equal(rows, np.repeat(rows[:1], len(rows), axis=0))
    np.testing.assert_allclose(logits[np.ix_(new_tf, new_target)], by_identity.grid.base, rtol=1e-6)
    assert logits[:, ~new_target].std(axis=1).min() > 0.1
    assert swap_of(by_identity, network.split()[2]) == 0.5


def test_starting_values_of_what_was_not_seen_reach_no_score(fitted):
    grid = fitted.grid
    loud = dict(fitted.learned.members)
    for name in ("tf_bias", "tf_factors", "per_tf"):
        loud[name] = loud[name].copy()
        loud[name][:, grid.known_tf == 0] += 100
    for name in ("target_bias", "target_factors"):
        loud[name] = loud[name].copy()
        loud[name][:, grid.known_target == 0] += 100
    other = dataclasses.replace(fitted, learned=fitted.learned._replace(members=loud))
    np.testing.assert_array_equal(other.logits(), fitted.logits())


def test_tfs_without_train_pairs_get_scores_of_their_own(fitted):
    logits = fitted.logits()
    assert np.isfinite(logits).all()
    new = logits[[*NEW_TFS, SILENT]]
    assert new.std(axis=1).min() > 0.1
    assert np.ptp(new, axis=0).min() > 0  # partners and hints differ


def test_test_labels_reach_no_score(bank, fitted, network):
    labels = network.labels.copy()
    labels[:, network.new_target == 2] = 1 - labels[:, network.new_target == 2]
    labels[SILENT] = 1 - labels[SILENT]
    other = fit(bank, network.split(labels))
    np.testing.assert_array_equal(other.logits(), fitted.logits())
    np.testing.assert_array_equal(other.learned.weights, fitted.learned.weights)


def test_validation_labels_choose_the_step_and_nothing_else(bank, fitted, network):
    labels = network.labels.copy()
    labels[:, network.new_target == 1] = 1 - labels[:, network.new_target == 1]
    other = fit(bank, network.split(labels))
    np.testing.assert_array_equal(other.learned.weights, fitted.learned.weights)
    for name, values in fitted.grid._asdict().items():
        np.testing.assert_array_equal(getattr(other.grid, name), values)
    # upside down, the best step is the worst one
    assert other.learned.validation.max() < 0.5 < fitted.learned.validation.min()
    assert other.learned.step != fitted.learned.step


def test_the_step_is_the_one_that_is_best_on_validation_pairs(fitted):
    steps = 30 * (1 + np.arange(3))
    assert fitted.learned.step == steps[fitted.learned.validation.argmax()]


def test_the_mean_of_the_members_is_the_score(fitted):
    members = fitted.member_logits()
    assert len(members) == SETTINGS.model.members
    assert np.ptp(members, axis=0).max() > 0.01
    np.testing.assert_array_equal(members.mean(axis=0), fitted.logits())


def test_one_seed_gives_the_same_bits_another_gives_others_and_all_are_one_program(
    bank, fitted, network
):
    programs = [
        kernel_weights._learn,
        factor_ensemble._train,
        factor_ensemble.score_members,
    ]
    before = [program._cache_size() for program in programs]
    np.testing.assert_array_equal(fit(bank, network.split()).logits(), fitted.logits())
    order = np.random.default_rng(3).permutation(GENES)
    other_draw = dataclasses.replace(network, new_target=network.new_target[order])
    other = fit(bank, other_draw.split(), seed=1)
    assert not np.array_equal(other.logits(), fitted.logits())
    assert [program._cache_size() for program in programs] == before


def test_permuting_genes_permutes_scores_but_for_the_luck_of_the_start(sources, fitted, network):
    order = np.concatenate([AT, TFS + np.random.default_rng(4).permutation(GENES - TFS)])
    moved = [
        dataclasses.replace(
            item,
            genes=tuple(
                dataclasses.replace(b, values=b.values[order], covered=b.covered[order])
                for b in item.genes
            ),
            pairs=tuple(dataclasses.replace(b, values=b.values[:, order]) for b in item.pairs),
        )
        for item in sources
    ]
    other = Network(network.labels[:, order], network.new_target[order], {})
    mine, theirs = fitted.logits()[:, order], fit(build(moved), other.split()).logits()
    assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", ["expression", "hint", "partners"])
def test_one_source_of_any_kind_is_enough(network, name):
    fitted = fit(build([network.sources[name]]), network.split())
    assert np.isfinite(fitted.logits()).all()
    if name == "hint":  # the cells are noise, and partners speak of targets that others have
        assert swap_of(fitted, network.split()[2]) > 0.55


@pytest.mark.slow
def test_random_features_serve_as_well(sources, network):
    fitted = fit(build(sources, most_genes=GENES - 1), network.split())
    test = network.split()[2]
    assert swap_of(fitted, test.take(~np.isin(test.pairs[:, 0], NEW_TFS))) > 0.7


def test_what_was_learned_is_enough_to_score_again(bank, fitted, network):
    forms = []

    def recall(form, learn):
        forms.append(form())
        return fitted.learned

    train, validation, _ = network.split()
    again = fit_kernel_factor(
        bank, train, validation, SETTINGS, seed=0, disjoint=True, recall=recall
    )
    np.testing.assert_array_equal(again.logits(), fitted.logits())
    [form] = forms
    assert form.weights.shape == fitted.learned.weights.shape
    assert form.validation.shape == fitted.learned.validation.shape
    assert form.members.keys() == fitted.learned.members.keys()
    for name, values in fitted.learned.members.items():
        assert (form.members[name].shape, form.members[name].dtype) == (values.shape, values.dtype)


def test_a_fit_on_pairs_of_seen_genes_uses_free_identities(network):
    """Labels of low rank, no evidence: the free factors alone beat base rates."""
    rng = np.random.default_rng(5)
    labels = (rng.normal(size=(TFS, 2)) @ rng.normal(size=(2, GENES)) > 0).astype(np.float32)
    every = LabelledPairs(PAIRS, labels[tuple(PAIRS.T)])
    part = rng.choice(3, size=len(PAIRS), p=[0.7, 0.1, 0.2])
    train, validation, test = (every.take(part == k) for k in range(3))
    fitted = fit_kernel_factor(build([]), train, validation, SETTINGS, seed=0, disjoint=False)
    assert swap_of(fitted, test) > 0.8
