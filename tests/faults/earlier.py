"""Run folders as versions before 0.3.0 left them: with no digests of runs, fits and outputs."""

import json
from pathlib import Path

from grnjax.storage.manifest import MANIFEST, encode_manifest, read_manifest


def forget_digests(folder: Path) -> None:
    """Takes them out of the record, the result and the manifests of a run."""
    for name in ("record.json", "run.json"):
        contents = json.loads((folder / name).read_text())
        contents = {k: x for k, x in contents.items() if k not in ("run", "outputs", "digest")}
        (folder / name).write_text(json.dumps(contents))
    for path in folder.rglob(MANIFEST):
        contents = read_manifest(path)
        del contents["owner"]
        path.write_bytes(encode_manifest(contents))
