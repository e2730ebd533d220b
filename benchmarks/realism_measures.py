"""What is measured on a picture of a galaxy, real or simulated, as an astronomer would describe it."""

import numpy as np

RADII = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Of the radial profile, in petroR90; the field's side is 8.48 of them."""
FIELD_R90 = 8.48
BINS = ((1, 3), (3, 6), (6, 12), (12, 20), (20, 32), (32, 64))
"""Of the power spectrum, in cycles a field."""


def measure(pictures):
    """Return a number a picture under the name of what was measured; pictures are uint8 (N, H, W, 3).

    Brightness is the mean of the channels, 0 to 255, as displayed.
    """
    light = pictures.astype(np.float32)
    grey = light.mean(axis=3)
    count, side = grey.shape[:2]
    r = np.hypot(*np.meshgrid(*[np.arange(side) - (side - 1) / 2] * 2)) * FIELD_R90 / side
    inside, border = r < 1.2, r > 3.6
    sky = np.median(grey[:, border], axis=1)
    rows = {
        "sky_level": sky,
        "sky_noise": grey[:, border].std(axis=1).clip(max=30),
        "sky_red_blue": light[:, border, 0].mean(axis=1) - light[:, border, 2].mean(axis=1),
        "brightness_centre": grey[:, r < 0.12].mean(axis=1),
        "brightness_galaxy": grey[:, inside].mean(axis=1),
        "colour_red_green": _colour(light, r < 0.6, 0, 1),
        "colour_green_blue": _colour(light, r < 0.6, 1, 2),
        "colour_gradient": _colour(light, r < 0.25, 0, 2) - _colour(light, (r > 0.5) & (r < 1), 0, 2),
        "concentration": _concentration(grey - sky[:, None, None], r),
        "asymmetry": _asymmetry(grey - sky[:, None, None], r < 1.6),
        "neighbours": (grey[:, (r > 2) & (r < 4.2)] > 40).mean(axis=1),
    }
    for radius in RADII:
        ring = np.abs(r - radius) < 0.15
        rows[f"profile_{radius:g}_r90"] = grey[:, ring].mean(axis=1) - sky
    for (low, high), power in zip(BINS, _power(grey), strict=True):
        rows[f"power_{low}_{high}"] = power
    assert all(len(values) == count for values in rows.values())
    return rows


def _colour(light, where, first, second):
    """Logarithm of the ratio of two channels' mean."""
    means = light[:, where].mean(axis=1) + 2
    return np.log2(means[:, first] / means[:, second])


def _concentration(grey, r):
    """C = 5 log10(r_80 / r_20) of the displayed light within 2 petroR90 (Conselice 2003, astro-ph/0303065)."""
    order = np.argsort(r.ravel())
    order = order[: np.searchsorted(r.ravel()[order], 2.0)]
    growth = np.cumsum(np.maximum(grey.reshape(len(grey), -1)[:, order], 0), axis=1)
    radii = r.ravel()[order]
    share = growth / np.maximum(growth[:, -1:], 1e-6)
    r_20, r_80 = (radii[np.argmax(share >= level, axis=1)] for level in (0.2, 0.8))
    return 5 * np.log10(np.maximum(r_80, 0.01) / np.maximum(r_20, 0.03))


def _asymmetry(grey, where):
    """A: what half a turn about the middle changes, over the light (Conselice 2003)."""
    turned = grey[:, ::-1, ::-1]
    return np.abs(grey - turned)[:, where].sum(axis=1) / np.maximum(2 * np.abs(grey)[:, where].sum(axis=1), 1e-6)


def _power(grey):
    """log10 of the mean power in each of `BINS`, the field tapered towards its edges."""
    side = grey.shape[1]
    taper = np.hanning(side)
    spectrum = np.abs(np.fft.rfft2((grey - grey.mean(axis=(1, 2), keepdims=True)) * np.outer(taper, taper))) ** 2
    k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]) * side
    return [np.log10(spectrum[:, (k >= low) & (k < high)].mean(axis=1) + 1e-3) for low, high in BINS]
