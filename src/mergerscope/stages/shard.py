"""Cut, scale and pack every galaxy of the catalogue."""

from __future__ import annotations

from mergerscope.counts import plural
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console
from mergerscope.shards.writer import write_shards
from mergerscope.survey.catalog import read_catalog
from mergerscope.survey.refusals import read_refusals

__all__ = ["run"]


def run(paths: Paths, params: Params) -> None:
    """Cut, scale and pack every galaxy of the catalogue into shards, and list what was refused.

    Raises:
        MissingInputError: the catalogue is not there.
        TooManyRefusedError: more than ``shard.max_refused`` of the survey is unusable.
    """
    manifest = write_shards(
        read_catalog(paths.catalog),
        paths.root / params.survey.root,
        paths.shards,
        params.shard,
        read_refusals(paths.catalog_report / "refused.csv"),
        scratch=paths.scratch / "shard",
        missing_bands=params.flux.missing_bands,
        binning=params.flux.bin,
        mask_bits=params.flux.mask_bits,
    )
    side = manifest.image_shape[-1]
    scale = "" if manifest.sampling is None else f" of {manifest.sampling.pixel_arcsec:g} arcsec"
    galaxies, shards = plural(manifest.total, "galaxy", "galaxies"), plural(len(manifest.shards), "shard")
    console.print(f"shard: {galaxies} of {side} x {side} pixels{scale} in {shards}", highlight=False)
    if manifest.refused:
        reasons = ", ".join(f"{count} x {reason}" for reason, count in manifest.reasons.items())
        console.print(f"shard: {len(manifest.refused)} refused ({reasons}); see {paths.manifest}", highlight=False)
