"""How to cite: grnjax, and the paper of the method that ranked."""

from grnjax.report.contents import Contents, find_method

ORDER, TITLE = 70, "How to cite"


def build(contents: Contents, page) -> dict | None:
    """The software with its version, and the paper as the method names it."""
    kind = find_method(contents.method)
    paper = getattr(kind, "PAPER", "") if kind is not None else ""
    version = (contents.record.get("versions") or {}).get("grnjax", "")
    return {"paper": paper, "version": version}
