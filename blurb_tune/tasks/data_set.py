"""What is known of a published data set without having it: what it is called, where it is, and how large it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HubCopy:
    """A data set of the hub that has a task's splits.

    name: `owner/name/config`. columns: what it calls those columns that it calls otherwise.
    """

    name: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A published data set; nothing is known of one that a user brings.

    folder and aliases: names that a folder with the data may have, in any spelling. hub_copy: where the hub has the data, None
    where it has no tables of them. blurb_type: the benchmark's task type, None outside it. published: how much each split
    holds by the publications, in units of `counted`. examples: lines per split, where that is known and not `published`.
    entity_types: how the tagged entities are called in corpora that have several types. is_builtin: code makes the data.
    """

    folder: str = ""
    aliases: tuple[str, ...] = ()
    hub_copy: HubCopy | None = None
    blurb_type: str | None = None
    published: Mapping[str, int] = field(default_factory=dict)
    counted: str = "examples"
    examples: Mapping[str, int] = field(default_factory=dict)
    entity_types: tuple[str, ...] = ()
    is_builtin: bool = False

    @property
    def sizes(self) -> Mapping[str, int]:
        """Examples per split as far as they are known without the data."""
        return self.examples or (self.published if self.counted == "examples" else {})


def plain_name(name: str) -> str:
    """A name without what people spell differently: case, blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", name.casefold())
