"""What is measured on one band of a FITS cutout, real or simulated: sky noise, point spread, surface brightness."""

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.optimize import least_squares

RADII_ARCSEC = (1.0, 2.0, 4.0, 8.0)
"""Of the surface brightness, about the middle of the cutout."""
STAMP_ARCSEC = 2.4
"""Half a side of the stamp to which a point source is fitted."""
COSMIC_RAY_PX = 1.8
"""What is narrower than this no telescope has seen."""


def sky(image):
    """Return the level of the sky and the noise of a pixel, in the image's unit, from the border.

    The noise is that of differences between pixels two apart where nothing is seen, which slopes and haloes do not
    raise.
    """
    height, width = image.shape
    border = np.ones(image.shape, bool)
    border[height // 6 : -height // 6, width // 6 : -width // 6] = False
    border &= np.isfinite(image)
    smooth = gaussian_filter(filled(image), 2.0)
    flat = smooth[border]
    for _ in range(12):
        middle = np.median(flat)
        spread = 1.4826 * np.median(np.abs(flat - middle))
        flat = flat[(flat > middle - 4 * spread) & (flat < middle + 2.5 * spread)]
    empty = border & (np.abs(smooth - middle) < 3 * spread)
    steps = (image[:, 2:] - image[:, :-2])[empty[:, 2:] & empty[:, :-2]]
    return float(middle), float(1.4826 * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2))


def filled(image):
    """Return the image with its median where it has no value."""
    return np.where(np.isfinite(image), image, np.nanmedian(image))


def point_widths(image, level, noise, pixel_arcsec):
    """Return the FWHM (N,) in arcsec of the round, bright and smooth sources: fits of a Moffat profile on a slope."""
    image = filled(image)
    half = round(STAMP_ARCSEC / pixel_arcsec)
    smooth = gaussian_filter(image - level, 1.0)
    peaks = (smooth == maximum_filter(smooth, 2 * half + 1)) & (smooth > 10 * noise)
    inside = np.zeros(image.shape, bool)
    inside[half:-half, half:-half] = True
    found = [
        _width(image[row - half : row + half + 1, column - half : column + half + 1], level, noise)
        for row, column in np.argwhere(peaks & inside)
    ]
    return np.array([width for width in found if width is not None]) * pixel_arcsec


def _width(stamp, level, noise):
    """FWHM of a stamp (S, S) in pixels, or None if it is no single smooth source."""
    half = len(stamp) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    error = np.hypot(noise, 0.05 * np.maximum(stamp - level, 0))

    def misfit(p):
        height, scale, x0, y0, ratio, angle, base, slope_x, slope_y, beta = p
        c, s = np.cos(angle), np.sin(angle)
        u, v = (x - x0) * c + (y - y0) * s, (y - y0) * c - (x - x0) * s
        profile = height * (1 + (u / scale) ** 2 + (v / (scale * ratio)) ** 2) ** -beta
        return ((profile + base + slope_x * x + slope_y * y - stamp) / error).ravel()

    start = [stamp.max() - level, 2.5, 0, 0, 0.95, 0.1, level, 0, 0, 3.0]
    lower = [0, 0.5, -2, -2, 0.5, -3.2, -np.inf, -np.inf, -np.inf, 1.8]
    upper = [np.inf, 3 * half, 2, 2, 1, 3.2, np.inf, np.inf, np.inf, 8.0]
    fit = least_squares(misfit, start, bounds=(lower, upper), x_scale=np.maximum(np.abs(start), noise))
    height, scale, ratio, beta = fit.x[[0, 1, 4, 9]]
    width = 2 * scale * np.sqrt(ratio * (2 ** (1 / beta) - 1))
    good = ratio > 0.85 and 2 * fit.cost / stamp.size < 3 and height > 20 * noise and width > COSMIC_RAY_PX
    return width if good else None


def point_spread(found):
    """Return the FWHM of stars among many ``found``: galaxies are wider, so that the narrower half is taken."""
    return float(np.median(np.sort(found)[: -(-len(found) // 2)]))


def brightness(image, level, pixel_arcsec):
    """Return the median brightness (len(RADII_ARCSEC),) in rings, in units of the image a square arcsecond."""
    height, width = image.shape
    y, x = np.mgrid[:height, :width]
    r = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2) * pixel_arcsec
    rings = [(r > 0.8 * radius) & (r < 1.25 * radius) for radius in RADII_ARCSEC]
    return np.array([np.nanmedian(image[ring]) - level for ring in rings]) / pixel_arcsec**2
