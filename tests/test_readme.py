"""The README stays true: its tables come from the measured rows, its encoder runs."""

import re
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.tables import ROOT, TABLES, fill_in
from grnjax.graphs.build import build_graph

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", TABLES)
def test_every_table_of_a_page_is_made_and_none_is_empty(page):
    text = (ROOT / page).read_text()
    marks = re.findall(r"<!-- table: (.*?) -->\n(.*?)<!-- end of table -->", text, re.DOTALL)
    assert [name for name, _ in marks] == list(TABLES[page])
    assert all(table.count("\n|") > 2 for _, table in marks)


@pytest.mark.parametrize("page", TABLES)
def test_tables_are_those_of_the_measured_rows(page):
    text = (ROOT / page).read_text()
    assert fill_in(ROOT / page, TABLES[page]) == text, "run python -m experiments.tables"


def test_two_commands_make_their_own_environment():
    commands = blocks("bash")
    assert len(commands) == 2
    assert all(".venv" in command for command in commands)
    assert "grnjax infer" in commands[0] and "pytest" in commands[1]


def test_the_encoder_of_the_readme_runs_and_uses_the_graph():
    (code,) = (block for block in blocks("python") if "MeanEncoder" in block)
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    imports = (
        "import dataclasses\nimport flax.linen as nn\nimport jax.numpy as jnp\n"
        "from grnjax.graphs.aggregate import aggregate\n"
        "from grnjax.models.encoder import EncoderConfig\n"
    )
    names: dict = {}
    exec(imports + code, names)
    encoder: nn.Module = names["MeanConfig"](width=5).make("encoder")
    nodes = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)

    def encode(edges):
        graph = build_graph(np.array(edges), 4, symmetric=False, self_loops=False)
        graph = jax.tree.map(jnp.asarray, graph)
        variables = encoder.init(jax.random.key(0), nodes, graph, train=False)
        return encoder.apply(variables, nodes, graph, train=False)

    forward, backward = encode([[0, 1]]), encode([[1, 0]])
    assert forward.shape == (5, 5)
    assert not np.allclose(forward, backward)
