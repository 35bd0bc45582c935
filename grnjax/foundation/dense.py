"""A linear map in a coarse type whose gradients are summed in float32."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float


class Dense(nn.Module):
    """A linear map from the last axes to others, its product in `dtype`, its parameters float32.

    The bias is added in float32: added in bfloat16, it gets as its gradient a sum over all tokens
    in bfloat16, which stops growing where a term is below its rounding.
    """

    shape: tuple[int, ...]
    """What the axes that are summed over become."""
    dtype: str = "float32"
    axes: int = 1
    """Last axes that are summed over."""
    use_bias: bool = True
    init: Callable = nn.initializers.lecun_normal()
    """Of the matrix, all inputs by all outputs."""

    @nn.compact
    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        shape = *x.shape[x.ndim - self.axes :], *self.shape
        flat = math.prod(shape[: self.axes]), math.prod(self.shape)
        kernel = self.param("kernel", lambda rng: self.init(rng, flat).reshape(shape))
        product = jnp.tensordot(x.astype(self.dtype), kernel.astype(self.dtype), self.axes)
        if not self.use_bias:
            return product
        bias = self.param("bias", nn.initializers.zeros, self.shape)
        return (product.astype(jnp.float32) + bias).astype(self.dtype)
