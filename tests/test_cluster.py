"""What holds of the engines without Ray; with it, see stages/test_ray.py."""

import subprocess
import sys

import pytest

from mergerscope.cluster import engine
from mergerscope.errors import MissingExtraError


def test_one_machine_needs_no_cluster(tmp_path):
    with engine("local", tmp_path / "scratch") as cluster:
        assert cluster is None
    assert not list(tmp_path.iterdir())


def test_without_ray(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mergerscope\[ray\]'"), engine("ray", tmp_path):
        pass


def test_ray_is_imported_when_it_is_needed():
    code = "import sys, mergerscope.cluster; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
