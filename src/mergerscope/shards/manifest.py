"""manifest.json: what is in the shards, and what was refused on the way there."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.files import write_text
from mergerscope.shards.sample import DTYPES
from mergerscope.shards.sampling import Sampling
from mergerscope.survey.records import Refusal
from mergerscope.survey.refusals import count_reasons

__all__ = ["MANIFEST_NAME", "STAGE", "Manifest", "ShardEntry", "shard_name"]

MANIFEST_NAME = "manifest.json"
STAGE = "shard"
"""Where a refusal came from, see `Refusal`."""
# webdataset runs a name that begins with "pipe:" as a command, so a manifest may name nothing but such files.
SHARD_NAME = re.compile(r"shard-\d{6,}\.tar", re.ASCII)
FLUX_ONLY = ("missing_bands", "mask_bits")
UNITS = {"uint8": ("",), "float32": ("nanomaggy", "count")}


def shard_name(number: int) -> str:
    """Return the file name of the shard ``number``, counted from 0."""
    return f"shard-{number:06d}.tar"


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """One tar file."""

    name: str
    count: int
    """Galaxies in it, at least one."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of the shard folder. ``total`` plus what this stage refused is ``catalog_rows``."""

    image_shape: tuple[int, int, int]
    """(C, H, W)."""
    dtype: str
    """``uint8``: pictures, stretched already; ``float32``: flux, all of it finite."""
    bands: tuple[str, ...]
    """One name a channel."""
    crop: float
    """Side of the kept square as a fraction of the shorter side of the field."""
    catalog_rows: int
    shards: tuple[ShardEntry, ...]
    """In catalogue order, as are the galaxies in each."""
    refused: tuple[Refusal, ...]
    """By the catalogue stage, then by this one in catalogue order."""
    unit: str = ""
    """Of flux: ``nanomaggy``, or ``count`` where the zero point is unknown; empty for pictures."""
    binning: int = 1
    """Of flux, side of the squares of pixels that were summed."""
    sampling: Sampling | None = None
    """Of flux, sizes of pixels on the sky; None where no file tells."""
    missing_bands: str | None = None
    """Of flux, ``refuse`` or ``fill``: what became of a galaxy that lacks a band; None in shards of before."""
    mask_bits: int | None = None
    """Of flux, the bits of a mask that meant that a pixel holds nothing; None likewise."""

    @property
    def total(self) -> int:
        """Galaxies in all shards together."""
        return sum(shard.count for shard in self.shards)

    @property
    def reasons(self) -> dict[str, int]:
        """How often each reason of refusal was given, the commonest first."""
        return count_reasons(self.refused)

    def save(self, path: Path) -> None:
        """Write ``path``, new-then-rename; equal manifests give equal bytes."""
        tree = asdict(self) | {"total": self.total, "reasons": self.reasons}
        if self.dtype == "uint8":
            tree = {field: value for field, value in tree.items() if field not in FLUX_ONLY}
        write_text(path, json.dumps(tree, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read and check what `save` wrote.

        Raises:
            MissingInputError: no such file.
            ContractError: it lacks fields, names strange files, or its counts do not add up.
        """
        if not path.is_file():
            raise MissingInputError(path, made_by="shard")
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            manifest = cls._from_tree(tree)
            problem = manifest._problem(tree["total"])
        except (KeyError, TypeError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            raise ContractError(f"{path} is no manifest of shards ({problem}). Run `mergerscope shard` again.")
        return manifest

    @classmethod
    def _from_tree(cls, tree: dict[str, Any]) -> Manifest:
        channels, height, width = (int(side) for side in tree["image_shape"])
        return cls(
            image_shape=(channels, height, width),
            dtype=tree["dtype"],
            bands=tuple(tree["bands"]),
            crop=tree["crop"],
            catalog_rows=tree["catalog_rows"],
            shards=tuple(ShardEntry(**shard) for shard in tree["shards"]),
            refused=tuple(Refusal(**refusal) for refusal in tree["refused"]),
            unit=tree["unit"],
            binning=int(tree.get("binning", 1)),  # shards of earlier versions tell none of these
            sampling=Sampling(**tree["sampling"]) if tree.get("sampling") else None,
            **{field: tree.get(field) for field in FLUX_ONLY},
        )

    def _problem(self, total: int) -> str:
        names = [shard.name for shard in self.shards]
        here = sum(refusal.stage == STAGE for refusal in self.refused)
        if self.dtype not in DTYPES or len(self.bands) != self.image_shape[0]:
            return f"images are {self.dtype} {list(self.image_shape)} with bands {list(self.bands)}"
        if self.unit not in UNITS[self.dtype]:
            return f"unit {self.unit!r} of {self.dtype} images; it may be {' or '.join(map(repr, UNITS[self.dtype]))}"
        if self.missing_bands not in (None, "refuse", "fill") or not (self.mask_bits is None or self.mask_bits >= 0):
            return f"missing_bands {self.missing_bands!r} and mask_bits {self.mask_bits!r}"
        if len(set(names)) != len(names) or not all(SHARD_NAME.fullmatch(name) for name in names):
            return f"strange names of shards: {names[:5]}"
        if total != self.total or total + here != self.catalog_rows:
            return (
                f"total {total}, {self.total} in the shards, {here} refused by this stage, "
                f"catalog_rows {self.catalog_rows}"
            )
        return ""
