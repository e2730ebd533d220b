"""Which side of a pixel training takes, and what it says of it."""

import pytest

from mergerscope.learn.pixel_scale import pixel_scale
from mergerscope.params import ViewsParams
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.sampling import Sampling

ONE = Sampling(900, 0.311, 0.311, 0.311, 0.262, 0.262, 0.262)
MANY = Sampling(900, 0.311, 0.2, 0.5, 0.262, 0.262, 0.262)
TWICE = Sampling(900, 0.311, 0.311, 0.311, 0.262, 0.262, 0.524)


@pytest.mark.parametrize(("named", "told", "arcsec", "note"), [
    (None, ONE, 0.311, ""),
    (None, MANY, 0.311, "pixels of 0.2 to 0.5 arcsec are all blurred as those of the median, 0.311"),
    (None, TWICE, 0.311, ""),
    (None, None, 0.262, "no file tells the side of a pixel: 0.262 arcsec"),
    (0.4, None, 0.4, ""),
    (0.3, ONE, 0.3, ""),
    (0.4, MANY, 0.4, "0.311"),
    (0.622, ONE, 0.622, "views.pixel_arcsec is 0.622, and by the WCS of 900 files the shards' pixels have 0.311"),
    (0.1555, ONE, 0.1555, "images are blurred 2 times as much"),
])  # fmt: skip
def test_of_flux(named: float | None, told: Sampling | None, arcsec: float, note: str) -> None:
    manifest = Manifest((1, 8, 8), "float32", ("g",), 0.5, 0, (), (), "count", 1, told)
    found = pixel_scale(ViewsParams(pixel_arcsec=named), manifest)
    assert found.arcsec == arcsec
    assert note in found.note
    assert bool(note) == bool(found.note)


def test_of_pictures_there_is_nothing_to_say() -> None:
    manifest = Manifest((3, 8, 8), "uint8", ("r", "g", "b"), 0.5, 0, (), ())
    assert [pixel_scale(ViewsParams(pixel_arcsec=named), manifest).note for named in (None, 7.0)] == ["", ""]
