"""A page that is asked for the completeness has it."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil

import pytest
from PIL import Image

from mergerscope.errors import ContractError
from mergerscope.paths import Paths
from mergerscope.report.build import CONTENTS
from mergerscope.report.completeness import COLUMNS, PANELS
from mergerscope.report.inputs import load_inputs


def shares(number, recovered):
    at = {str(k): {"recovered": recovered, "fraction": recovered / number, "low": 0.1, "high": 0.9} for k in (10, 50)}
    return {"number": number, "at": at}


@pytest.fixture
def asked(inputs, made, tmp_path):
    """The project with what `mergerscope completeness` writes, and settings that ask for it."""
    shutil.copytree(inputs.paths.root, tmp_path / "project")
    paths = Paths(tmp_path / "project")
    folder = paths.completeness_results
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({
        "k": [10, 50], "candidates": 126, "confidence": 0.95, "ranker": inputs.rank_choice["ranker"],
        "weights_sha256": inputs.receipt["weights_sha256"], "sky_electrons": 700.0,
        "point_spread": {"fwhm_px": 2.34, "sources": 57, "measured": True},
        "recovered": {"all": shares(40, 30)}, "single_galaxies": shares(10, 1),
    }), encoding="utf-8")  # fmt: skip
    with (folder / "curves.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for quantity in PANELS:
            for k in (10, 50):
                writer.writerows([[quantity, 0.1, 0.5, 0.3, k, 20, 12, 0.6, 0.4, 0.8],
                                  [quantity, 0.5, 1.0, 0.7, k, 20, 18, 0.9, 0.7, 0.97]])  # fmt: skip
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), (9, 9, 9)).save(picture, "PNG")
    (folder / "gallery.png").write_bytes(picture.getvalue())
    return paths, made.made_params(report={"completeness": True})


def test_the_section_stands_in_its_place_with_its_figures(asked, build):
    paths, params = asked
    page, figures = build(load_inputs(paths, params))
    sections = re.findall(r'<section id="([^"]+)"', page)
    assert sections == [name for name, _ in CONTENTS]
    assert 'href="#completeness"' in page
    section = re.search(r'<section id="completeness">.*?</section>', page, re.DOTALL)[0]
    assert "Of 40 injected" in section
    assert "75\u00a0%" in section
    assert "2.3 pixels, measured on 57 compact sources" in section
    assert "700 electrons a pixel" in section
    assert len(re.findall(r"<svg", section)) == len(PANELS)
    assert 'src="data:image/png;base64,' in section
    assert (figures / "completeness.png").stat().st_size > 1000
    assert (figures / "completeness_gallery.png").is_file()


def test_results_that_lack_something_name_it(asked):
    paths, params = asked
    file = paths.completeness_results / "metrics.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    del told["sky_electrons"]
    file.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ContractError, match=r"lacks sky_electrons.*mergerscope completeness"):
        load_inputs(paths, params)
