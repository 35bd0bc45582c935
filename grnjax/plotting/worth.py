"""What a run rests on, as a kind of picture (`explanation.plot_block_worth` draws it)."""

import dataclasses

import pandas as pd
from matplotlib.axes import Axes

from grnjax.config import Positive
from grnjax.errors import ConfigError
from grnjax.plotting.explanation import plot_block_worth
from grnjax.plotting.picture import PictureConfig
from grnjax.plotting.style import Figure


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorthPicture(PictureConfig):
    """What the run rests on: how much worse it gets without each input."""

    most: Positive = 15
    """So many inputs at most, those that it would miss most."""

    def draw(self, network, ax: Axes | None = None) -> Figure:
        worth = getattr(network, "worth_of_inputs", None)
        if not worth:
            raise ConfigError(
                "the run did not measure what it rests on, which methods that explain their scores "
                "do, such as kernel-factor."
            )
        table = pd.DataFrame(worth).fillna({"drop_average_precision": 0.0, "drop_swap_micro": 0.0})
        table = table.sort_values("drop_average_precision", ascending=False, kind="stable")
        return plot_block_worth(table.head(self.most), ax=ax)
