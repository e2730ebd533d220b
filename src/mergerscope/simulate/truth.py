"""What a simulated cutout really shows, and how much of it could be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["MergerTruth", "Stage", "Truth", "TruthClass"]

TruthClass = Literal[
    "elliptical", "lenticular", "spiral", "edge_on", "irregular", "merger", "projection", "star", "blend", "trail"
]
"""``projection``, ``star``, ``blend`` and ``trail`` are a single galaxy with something unrelated upon or beside it."""

Stage = Literal["approach", "passage", "apart", "return", "coalesced"]
"""Before the first pericentre's reach, at it, between first and second passage, sinking, one remnant."""


@dataclass(frozen=True, slots=True)
class MergerTruth:
    """An encounter at the moment that it is looked at.

    Attributes:
        mass_ratio: secondary over primary, 0.1 to 1.
        time_since_pericentre_gyr: since the first closest approach; negative before.
        separation_kpc: of the two nuclei on the sky.
        separation_3d_kpc: of the two nuclei in space.
        pericentre_kpc: closest approach of the two nuclei on their first passage.
        spin_orbit_1_deg: angle of the primary's spin with the orbit's, 0 (prograde) to 180 (retrograde).
        spin_orbit_2_deg: likewise of the secondary.
        tidal_fraction: share of the light in tails, bridges and shells, outside both galaxies' first extent.
        stage: which part of the encounter it is.
    """

    mass_ratio: float
    time_since_pericentre_gyr: float
    separation_kpc: float
    separation_3d_kpc: float
    pericentre_kpc: float
    spin_orbit_1_deg: float
    spin_orbit_2_deg: float
    tidal_fraction: float
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a cutout is, and what a volunteer who looks at it has to go by.

    Attributes:
        truth_class: what it is.
        bulge_fraction: bulge over total light of the central galaxy, 0 to 1; 1 for an elliptical.
        axis_ratio: of the central galaxy on the sky, 0 (a line) to 1 (round).
        arms: number of spiral arms; 0 without.
        arm_winding: 0 (loose) to 1 (tight); no meaning without arms.
        arm_contrast: of the arms against the disc between them, 0 to 1, as blurred and noisy as the cutout shows it.
        bar: strength of the bar, 0 (none) to 1.
        clumpy: share of the light in clumps, 0 to 1.
        ring: the disc has a ring.
        dust_lane: strength of the lane across an edge-on disc, 0 (none) to 1.
        detail_resolution: half-light radius over the PSF's half width at half maximum; near 1 everything is a blob.
        visible_tidal_snr: signal of tidal light over the sky's noise per PSF area, where it is brightest outside
            both galaxies; 0 without.
        second_nucleus_snr: likewise of the second nucleus (or of the unrelated companion) above its surroundings.
        separation_arcsec: of the two nuclei, or from the centre to the unrelated companion; 0 where alone.
        separation_r90: the same over the radius of 90 % of the central galaxy's light.
        colour_difference: |difference in g - r| between the galaxy and its unrelated companion, mag; 0 otherwise.
        size_ratio: half-light radius of the companion over the central galaxy's, 0 without one.
        merger: of a merger, its encounter.
    """

    truth_class: TruthClass
    bulge_fraction: float = 0.0
    axis_ratio: float = 1.0
    arms: int = 0
    arm_winding: float = 0.5
    arm_contrast: float = 0.0
    bar: float = 0.0
    clumpy: float = 0.0
    ring: bool = False
    dust_lane: float = 0.0
    detail_resolution: float = 4.0
    visible_tidal_snr: float = 0.0
    second_nucleus_snr: float = 0.0
    separation_arcsec: float = 0.0
    separation_r90: float = 0.0
    colour_difference: float = 0.0
    size_ratio: float = 0.0
    merger: MergerTruth | None = None
