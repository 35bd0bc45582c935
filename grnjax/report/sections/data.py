"""The data: what was read, and all that was dropped, renamed, left out or never measured."""

from grnjax.report.contents import Contents

ORDER, TITLE = 60, "Data"
COMMANDS = ("infer", "train", "activity")
HIDDEN = {"digest"}
KEPT = {"regulons"}  # names that are counted though nothing of them was lost


def build(contents: Contents, page) -> dict | None:
    """What run.json says of the data, a row a figure; what counts as lost stands first."""
    record = contents.record
    parts = {"data": record.get("data") or {}, "evidence": record.get("evidence") or {}}
    if record.get("found"):
        parts["found"] = record["found"]
    if record.get("report"):
        parts["data"] = record["report"]
    if page.networks and contents.edges is None:
        first = next(iter(page.networks.values()))
        parts["found"] = first.record.get("found") or {}
        parts["evidence"] = first.record.get("evidence") or {}
    rows = {name: list_rows(part) for name, part in parts.items() if part}
    lost = [row for part in rows.values() for row in part if row["is_lost"]]
    return {"rows": rows, "lost": lost, "overlap": record.get("label_overlap") or []}


def list_rows(value: dict, prefix: str = "") -> list[dict]:
    """A row for each figure of a nested report, under its path in words."""
    rows = []
    for key, item in value.items():
        name = f"{prefix}{str(key).replace('_', ' ')}"
        if key in HIDDEN:
            continue
        if isinstance(item, dict) and set(item) == {"count", "first"}:
            names = ", ".join(map(str, item["first"]))
            more = ", ..." if item["count"] > len(item["first"]) else ""
            shown = f"{item['count']:,}" + (f": {names}{more}" if names else "")
            rows.append(
                {"name": name, "value": shown, "is_lost": item["count"] > 0 and key not in KEPT}
            )
        elif isinstance(item, dict):
            rows += list_rows(item, f"{name}: ")
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            rows.append({"name": name, "value": f"{len(item):,} entries", "is_lost": False})
        else:
            rows.append({"name": name, "value": write(item), "is_lost": False})
    return rows


def write(item: object) -> str:
    """A figure as text."""
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, int):
        return f"{item:,}"
    if isinstance(item, float):
        return f"{item:.4g}"
    if isinstance(item, list):
        return ", ".join(map(str, item)) or "none"
    return "none" if item is None else str(item)
