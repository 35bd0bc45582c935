"""Settings: frozen dataclasses inside each other, from the command line, to JSON and back.

A config stands in the file of the class it configures, and this file knows none of them. A field's
place is its key: `model.head` in Python and in JSON, `--model.head` on the command line, where the
docstring under the field is its help. A field may be annotated with a base class and hold a
subclass, whose fields then count; `--model.encoder=GAT` puts GATConfig there:

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class ModelConfig(Settings):
        encoder: EncoderConfig = GCNConfig()
        head: Literal["additive", "bilinear"] = "bilinear"
"""

from grnjax.config.annotations import (
    AtLeastTwo,
    Count,
    DropRate,
    Items,
    Positive,
    Range,
    Rate,
    Seconds,
    Seeds,
    Share,
    Weight,
    Widths,
)
from grnjax.config.command_line import parse
from grnjax.config.fields import Settings, import_named, renamed
from grnjax.config.records import from_json, replace, to_json

__all__ = [
    "AtLeastTwo",
    "Count",
    "DropRate",
    "Items",
    "Positive",
    "Range",
    "Rate",
    "Seconds",
    "Seeds",
    "Settings",
    "Share",
    "Weight",
    "Widths",
    "from_json",
    "import_named",
    "parse",
    "renamed",
    "replace",
    "to_json",
]
