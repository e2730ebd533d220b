"""Figures of `benchmarks.realism`: distributions on both sides, and the simulated pictures the judge is surest of."""

import matplotlib as mpl
import numpy as np
from PIL import Image

mpl.use("Agg")
from matplotlib import pyplot as plt

PANELS = (
    "sky_level", "sky_noise", "sky_red_blue", "brightness_centre", "brightness_galaxy", "colour_red_green",
    "colour_green_blue", "colour_gradient", "concentration", "asymmetry", "neighbours",
)  # fmt: skip


def draw_figures(folder, real, simulated, distances):
    folder.mkdir(parents=True, exist_ok=True)
    _histograms(folder / "realism-histograms.png", real, simulated, distances)
    _curves(folder / "realism-curves.png", real, simulated)


def draw_sheets(folder, pictures, merging, scores):
    """Contact sheets of simulated pictures: encounters, others, and those that the judge is surest of."""
    mergers, others = np.flatnonzero(merging), np.flatnonzero(~merging)
    worst = np.argsort(scores)[::-1]
    chosen = {"mergers": mergers[:60], "others": others[:100], "given-away": worst[:30]}
    for name, indices in chosen.items():
        draw_sheet(folder / f"simulated-{name}.jpg", pictures[indices])


def _histograms(path, real, simulated, distances):
    figure, axes = plt.subplots(3, 4, figsize=(11, 7), layout="constrained")
    for axis, name in zip(axes.flat, PANELS, strict=False):
        both = np.concatenate([real[name], simulated[name]])
        edges = np.linspace(*np.percentile(both, [0.5, 99.5]), 41)
        axis.hist(real[name], edges, density=True, histtype="stepfilled", color="0.75", label="real")
        axis.hist(simulated[name], edges, density=True, histtype="step", color="C3", label="simulated")
        axis.set_title(f"{name.replace('_', ' ')}  (KS {distances[name]:.2f})", fontsize=9)
        axis.set_yticks([])
    for axis in axes.flat[len(PANELS) :]:
        axis.set_axis_off()
    axes.flat[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _curves(path, real, simulated):
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, start, label in ((axes[0], "profile_", "radius / petroR90"), (axes[1], "power_", "cycles a field")):
        names = [name for name in real if name.startswith(start)]
        x = [np.sqrt(np.prod([float(part) for part in name.split("_")[1:3] if part != "r90"])) for name in names]
        if start == "profile_":
            x = [float(name.split("_")[1]) for name in names]
        for side, colour, who in ((real, "0.4", "real"), (simulated, "C3", "simulated")):
            low, middle, high = np.transpose([np.percentile(side[name], (16, 50, 84)) for name in names])
            axis.plot(x, middle, color=colour, label=who)
            axis.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0)
        axis.set_xlabel(label)
    axes[0].set_ylabel("brightness above the sky, of 255")
    axes[0].set_yscale("symlog", linthresh=1)
    axes[1].set_ylabel("log10 power")
    axes[1].set_xscale("log")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw_sheet(path, pictures, columns=10):
    """Write pictures (N, side, side, 3) side by side."""
    side = pictures.shape[1]
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * side, columns * side, 3), np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = picture
    Image.fromarray(sheet).save(path, quality=82)
