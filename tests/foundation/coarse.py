"""What a program sums, normalises or exponentiates in bfloat16."""

import jax.numpy as jnp
from jax.extend.core import jaxprs_in_params

SUMS = {"dot_general", "reduce_sum", "reduce_max", "cumsum", "scatter-add"}
CURVES = {"exp", "log", "rsqrt", "sqrt"}


def list_coarse(program) -> set[str]:
    """The operations of these kinds with a result in bfloat16, in a jaxpr and all within it."""
    found = set()
    for equation in program.eqns:
        results = [x for x in equation.outvars if getattr(x.aval, "dtype", None) == jnp.bfloat16]
        if results and equation.primitive.name in SUMS | CURVES:
            found.add(equation.primitive.name)
        for inner in jaxprs_in_params(equation.params):
            found |= list_coarse(inner)
    return found
