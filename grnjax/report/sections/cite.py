"""How to cite: grnjax, and the paper of the method that ranked."""

from grnjax.report.contents import Contents, find_method

ORDER, TITLE = 70, "How to cite"
COMMANDS = ("infer", "train", "activity")

SCORES = {
    "aucell": "Aibar et al. 2017, Nat. Methods 14:1083",
    "ulm": "Badia-i-Mompel et al. 2022, Bioinform. Adv. 2(1), vbac016",
}
"""Who published the scores of activity."""


def build(contents: Contents, page) -> dict | None:
    """The software with its version, and the paper as the method names it."""
    method = contents.method
    if contents.command == "activity":
        method = (contents.record.get("config") or {}).get("method", "aucell")
        paper = SCORES.get(method, "")
    else:
        paper = getattr(find_method(method), "PAPER", "")
    version = (contents.record.get("versions") or {}).get("grnjax", "")
    return {"method": method, "paper": paper, "version": version}
