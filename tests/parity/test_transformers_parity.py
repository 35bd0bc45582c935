"""`transformers`' own BERT reads what is written of Geneformer, and has the same hidden states.

Needs the extra `bench`.
"""

import numpy as np
import pytest

from grnjax.foundation.convert import convert, export, load_model

TOLERANCE = 1e-5


@pytest.mark.parametrize("name", ["geneformer_v1", "geneformer_v2"])
def test_bert_of_transformers_runs_what_is_written(parity_folder, tmp_path, name):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = parity_folder(name)
    convert("geneformer", folder, tmp_path / "ours")
    export(tmp_path / "ours", tmp_path / "theirs")
    bert, found = transformers.BertForMaskedLM.from_pretrained(
        tmp_path / "theirs", output_loading_info=True
    )
    assert not any(found[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    model = load_model(tmp_path / "ours")
    with np.load(folder / "inputs.npz") as inputs:
        tokens, is_real = inputs["input_ids"], inputs["attention_mask"] > 0
    with torch.inference_mode():
        theirs = bert.eval()(
            torch.from_numpy(tokens),
            attention_mask=torch.from_numpy(is_real),
            output_hidden_states=True,
        )
    states = model.module.apply(
        model.variables, tokens, is_real, train=False, method="hidden_states"
    )
    logits = model.module.apply(model.variables, tokens, is_real, train=False)
    assert len(states) == len(theirs.hidden_states) == model.config.layers + 1
    for ours, other in zip([*states, logits], [*theirs.hidden_states, theirs.logits], strict=True):
        assert np.abs(np.asarray(ours) - other.numpy())[is_real].max() < TOLERANCE
