"""Cut the survey in data/ down to a slice of its galaxies, for a smoke run of minutes: `python tools/slice.py 600`.

The slice is the first galaxies of the catalogue, of which galaxy i depends on the seed and i alone: it is the survey
that `mergerscope simulate --galaxies 600` would have made. `dvc add data` then makes it the tracked one.
"""

from __future__ import annotations

import argparse
import csv
import io
import zipfile
from pathlib import Path


def cut(folder: Path, galaxies: int) -> int:
    """Keep the first rows of ``catalog.csv``, and of ``images.zip`` what they name; returns how many there are."""
    catalog, images = folder / "catalog.csv", folder / "images.zip"
    with catalog.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for _, row in zip(range(galaxies), reader, strict=False)]
        names = list(reader.fieldnames or [])
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    smaller = images.with_name(images.name + ".new")
    with zipfile.ZipFile(images) as whole, zipfile.ZipFile(smaller, "w") as part:
        for row in rows:
            part.writestr(whole.getinfo(row["filename"]), whole.read(row["filename"]))
    # New files in place of the old ones: those may be links into DVC's cache.
    fresh = catalog.with_name(catalog.name + ".new")
    fresh.write_text(text.getvalue(), encoding="utf-8", newline="")
    fresh.replace(catalog)
    smaller.replace(images)
    return len(rows)


def main() -> None:
    """Cut, and say what is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("galaxies", type=int, help="how many to keep")
    parser.add_argument("--data", type=Path, default=Path("data"), help="the survey's folder (default: data)")
    asked = parser.parse_args()
    print(f"{asked.data}: {cut(asked.data, asked.galaxies)} galaxies left")


if __name__ == "__main__":
    main()
