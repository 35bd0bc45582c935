"""How far programs are optimised: fixtures for tests that compile much."""

import os

import pytest

QUICK_COMPILER = {"xla_cpu_use_fusion_emitters": False}


@pytest.fixture(scope="module")
def optimise_little():
    """For tests that compile much, and ask nothing that depends on how far it is optimised.

    The processes that they start compile so, too.
    """
    import jax

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
        jax.config.update("jax_disable_most_optimizations", True)
        yield
    jax.config.update("jax_disable_most_optimizations", False)


def takes(options: dict[str, bool]) -> bool:
    """Whether the compiler that is installed has these options."""
    import jax

    try:
        jax.jit(lambda x: x + 1).lower(1.0).compile(compiler_options=options)
    except jax.errors.JaxRuntimeError:
        return False
    return True


@pytest.fixture(scope="module")
def compile_quickly(optimise_little):
    """The same by the older of XLA's two ways to make loops, which takes half the time to compile.

    Not where two programs are to agree in every bit: there it rounds otherwise.
    """
    from jax._src import compiler

    if not takes(QUICK_COMPILER):  # newer releases of XLA have no older way
        yield
        return

    def choose(*given, **named):
        options = find(*given, **named)
        options.env_option_overrides = [*options.env_option_overrides, *QUICK_COMPILER.items()]
        return options

    find = compiler.get_compile_options
    find(1, 1)  # reads XLA_FLAGS, once and for all
    flags = [f"--{name}={str(value).lower()}" for name, value in QUICK_COMPILER.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", " ".join([os.environ.get("XLA_FLAGS", ""), *flags]))
        patch.setattr(compiler, "get_compile_options", choose)
        yield
