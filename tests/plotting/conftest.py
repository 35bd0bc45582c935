import io

import pytest


@pytest.fixture
def draw():
    """Writes the figure as a file would be, and checks that it cuts nothing off."""

    def write(figure):
        figure.savefig(io.BytesIO(), format="png")
        box = figure.get_tightbbox()  # inches, of everything that is drawn
        assert box.x0 >= 0 and box.y0 >= 0
        assert (box.max <= figure.get_size_inches()).all()

    return write
