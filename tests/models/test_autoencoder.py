import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.models.autoencoder import Autoencoder, AutoencoderConfig, kl_to_standard_normal

GENES, CELLS = 7, 30


@pytest.fixture(params=[True, False], ids=["variational", "plain"])
def variational(request):
    return request.param


@pytest.fixture
def made(variational):
    """An autoencoder, its variables and some profiles."""
    config = AutoencoderConfig(dim=4, widths=(16, 8), variational=variational)
    model = Autoencoder(config, CELLS)
    profiles = jax.random.normal(jax.random.key(0), (GENES, CELLS))
    return model, model.init(jax.random.key(1), profiles, None), profiles


@pytest.mark.slow
def test_the_closed_form_of_the_divergence_is_its_monte_carlo_mean():
    mean = jnp.array([[0.0, 0.0, 0.0], [1.5, -0.3, 0.2], [0.1, 2.0, -1.0]])
    log_variance = jnp.array([[0.0, 0.0, 0.0], [-1.0, 0.4, 0.0], [1.2, -2.0, 0.3]])
    noise = jax.random.normal(jax.random.key(0), (200_000, *mean.shape))
    codes = mean + jnp.exp(0.5 * log_variance) * noise
    # log N(code; mean, variance) - log N(code; 0, 1); the constants cancel
    each = jnp.sum(0.5 * codes**2 - 0.5 * noise**2 - 0.5 * log_variance, axis=-1)
    error = np.asarray(each.std(axis=0)) / np.sqrt(len(noise))
    closed = kl_to_standard_normal(mean, log_variance)
    assert closed[0] == 0
    assert (np.abs(closed - each.mean(axis=0)) <= 4 * error + 1e-6).all()
    assert (error[1:] < 0.01).all()


def test_permuting_genes_permutes_what_comes_out(made):
    model, variables, profiles = made
    order = np.random.default_rng(0).permutation(GENES)
    straight, permuted = (model.apply(variables, x, None) for x in (profiles, profiles[order]))
    np.testing.assert_allclose(permuted.mean, straight.mean[order], atol=1e-6)
    np.testing.assert_allclose(permuted.profiles, straight.profiles[order], atol=1e-6)


@pytest.mark.slow
def test_a_gene_has_the_same_vector_in_any_company(made):
    model, variables, profiles = made
    together = model.apply(variables, profiles, None).mean
    changed = model.apply(variables, profiles.at[1:].multiply(100.0), None).mean
    alone = model.apply(variables, profiles[:1], None).mean
    np.testing.assert_array_equal(changed[0], together[0])
    np.testing.assert_allclose(alone[0], together[0], atol=1e-6)


def test_noise_moves_a_code_by_its_deviation_and_a_plain_one_not_at_all(made, variational):
    model, variables, profiles = made
    still = model.apply(variables, profiles, None)
    noise = jax.random.normal(jax.random.key(2), still.mean.shape)
    moved = model.apply(variables, profiles, noise)
    np.testing.assert_array_equal(moved.mean, still.mean)
    np.testing.assert_array_equal(
        model.apply(variables, profiles, jnp.zeros_like(noise)).profiles, still.profiles
    )
    if not variational:
        assert still.log_variance is None
        np.testing.assert_array_equal(moved.profiles, still.profiles)
        return

    def decode(module, codes):
        return module.output(module.decoder(codes))

    codes = still.mean + jnp.exp(still.log_variance / 2) * noise
    expected = model.apply(variables, codes, method=decode)
    np.testing.assert_allclose(moved.profiles, expected, atol=1e-5)
    assert np.abs(moved.profiles - still.profiles).max() > 0.01


@pytest.mark.parametrize("wrong", [{"dim": 0}, {"widths": (64, 0)}])
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        AutoencoderConfig(**wrong)
