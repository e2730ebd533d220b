"""How like the real sky the simulated one is: ``python -m benchmarks.realism FOLDER [--galaxies N]``.

FOLDER holds real pictures of galaxies in the layout of Galaxy Zoo (``images/*.jpg``, or the JPEGs themselves). As many
are simulated. On both sides the same things are measured, picture by picture; a line each says the two-sample
Kolmogorov-Smirnov distance (0 alike, 1 apart). The last line is the strictest judge: how well a logistic regression on
the features of the project's untrained encoder tells simulated from real (AUROC, five-fold; 0.5 cannot, 1 always).
``--figures DIR`` draws the distributions; no real picture appears in them.
"""

import argparse
import csv
import json
import re
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from benchmarks.realism_figures import draw_figures, draw_sheets
from benchmarks.realism_measures import measure
from PIL import Image
from scipy.stats import ks_2samp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mergerscope.learn.encoder import EncoderConfig, build_encoder
from mergerscope.progress import progress
from mergerscope.simulate.write import Recipe, simulate_survey

SIDE = 128
"""Both sides are brought to this many pixels, then measured."""


def small(data):
    with Image.open(BytesIO(data)) as image:
        shown = image.convert("RGB")
        return np.asarray(shown.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=None))


def real_pictures(folder, leave_out, limit, seed):
    """Return uint8 (N, SIDE, SIDE, 3) of at most ``limit`` pictures, drawn at random."""
    where = folder / "images" if (folder / "images").is_dir() else folder
    paths = sorted(path for path in where.glob("*.jp*g") if not (leave_out and re.search(leave_out, path.stem)))
    if not paths:
        raise SystemExit(f"{where} holds no JPEG that is not left out")
    chosen = np.random.default_rng(seed).permutation(len(paths))[:limit]
    with progress("read", len(chosen), "real pictures") as advance:
        pictures = []
        for index in np.sort(chosen):
            pictures.append(small(paths[index].read_bytes()))
            advance()
    return np.array(pictures)


def simulated_pictures(count, seed, workers, merger_fraction):
    """Return uint8 (N, SIDE, SIDE, 3), made at Galaxy Zoo's 424 pixels, and (N,) which are encounters."""
    with tempfile.TemporaryDirectory() as folder:
        what = Recipe(seed=seed, side_px=424, merger_fraction=merger_fraction)
        simulate_survey(Path(folder), count, what, workers)
        with zipfile.ZipFile(Path(folder) / "images.zip") as images:
            pictures = np.array([small(images.read(name)) for name in images.namelist()])
        with (Path(folder) / "catalog.csv").open(encoding="utf-8", newline="") as file:
            merging = np.array([row["truth_class"] == "merger" for row in csv.DictReader(file)])
    return pictures, merging


def features(pictures):
    """Return the untrained encoder's features (N, F): mean and maximum of each stage."""
    encoder = build_encoder(EncoderConfig(18, 0.5, 1024, "stages", 3, SIDE, False), seed=0).eval()
    with torch.inference_mode(), progress("embed", len(pictures), "pictures") as advance:
        done = []
        for batch in np.array_split(pictures, max(len(pictures) // 64, 1)):
            images = torch.from_numpy(batch.transpose(0, 3, 1, 2).copy())
            done.append(encoder.pool(encoder.stages(images)).numpy())
            advance(len(batch))
    return np.concatenate(done)


def judge(real, simulated):
    """Return the AUROC of a regularised logistic regression, cross-validated, and its scores for all pictures."""
    x = np.concatenate([features(real), features(simulated)])
    y = np.repeat([0, 1], [len(real), len(simulated)])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(model, x, y, cv=folds, method="decision_function")
    return roc_auc_score(y, scores), scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--galaxies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--merger-fraction", type=float, default=0.05)
    parser.add_argument("--leave-out", default="", help="regular expression of the names of pictures to leave out")
    parser.add_argument("--figures", type=Path, help="folder for the figures")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    asked = parser.parse_args()
    real = real_pictures(asked.folder, asked.leave_out, asked.galaxies, asked.seed)
    simulated, merging = simulated_pictures(len(real), asked.seed, asked.workers, asked.merger_fraction)
    of_real, of_simulated = measure(real), measure(simulated)
    found = {name: float(ks_2samp(of_real[name], of_simulated[name]).statistic) for name in of_real}
    for name, value in found.items():
        medians = f"median real {np.median(of_real[name]):.3g}, simulated {np.median(of_simulated[name]):.3g}"
        print(f"{name} {value:.3f} KS ({medians})", flush=True)
    auroc, scores = judge(real, simulated)
    chance = np.random.default_rng(0).permutation(len(real))
    half = len(real) // 2
    floor, _ = judge(real[chance[:half]], real[chance[half:]])
    print(f"judge {auroc:.3f} AUROC of an untrained encoder and logistic regression (real against real: {floor:.3f})")
    if asked.json:
        asked.json.write_text(json.dumps({**found, "auroc": auroc, "auroc_real_real": floor}, indent=2) + "\n")
    if asked.figures:
        draw_figures(asked.figures, of_real, of_simulated, found)
        draw_sheets(asked.figures, simulated, merging, scores[len(real) :])


if __name__ == "__main__":
    main()
