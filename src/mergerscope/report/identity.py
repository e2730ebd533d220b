"""What made this report: model, data, source, settings and versions. No run id and no time: the page is a DVC out."""

from __future__ import annotations

import importlib.metadata
import io
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from mergerscope import __version__
from mergerscope.counts import count, plural
from mergerscope.params import Params
from mergerscope.report.inputs import Inputs
from mergerscope.survey.roles import ROLES

__all__ = ["Fact", "identity", "settings_text", "source_commit", "versions"]

Fact = tuple[str, str]

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pillow", "simplejpeg", "umap-learn", "matplotlib")
SOURCE = ("src", "params.yaml")


def identity(inputs: Inputs, digests: Mapping[str, str]) -> dict[str, list[Fact]]:
    """Facts by group, each a name and a value.

    Args:
        inputs: of the report.
        digests: of data, by name.
    """
    receipt, shape, config = inputs.receipt, inputs.manifest.image_shape, inputs.params.encoder
    registered = f"{receipt['name']}@{receipt['alias']}"
    model = [
        ("Registered as", registered),
        ("Weights (SHA-256)", str(receipt["weights_sha256"])),
        ("Network", f"ResNet-{config.depth}, width {config.width:g}"),
        ("Embedding", _embedding(inputs)),
        ("Objective", inputs.params.objective.name),
        ("Trained on", f"{plural(inputs.training.images, 'image')}, {plural(inputs.training.epochs, 'epoch')}"),
    ]
    roles = ", ".join(f"{count(int(inputs.labels.has(role).sum()))} {role}" for role in ROLES)
    data = [
        ("Galaxies", f"{count(inputs.store.size)} ({roles})"),
        ("Target", f"{inputs.params.target.column} above {inputs.params.target.threshold:g}"),
        ("Cutouts", " x ".join(str(side) for side in shape) + " (channels, height, width)"),
        *((f"Digest of {name}", digest) for name, digest in sorted(digests.items())),
    ]
    return {"Model": model, "Data": data, "Software": [*_source(inputs.paths.root), *versions()]}


def _embedding(inputs: Inputs) -> str:
    numbers, settings = f"{inputs.store.dim} numbers", inputs.params.embed
    if inputs.store.origin is not None:
        lacking = inputs.manifest.total - inputs.store.size
        without = f"; {plural(lacking, 'galaxy has', 'galaxies have')} none and no rank" if lacking else ""
        return f"{numbers}, imported: made by {inputs.store.origin} and not by this model{without}"
    return f"{numbers}, pooling {settings.pooling}, {settings.views} view{'s' if settings.views > 1 else ''} a galaxy"


def _source(root: Path) -> list[Fact]:
    commit = source_commit(root)
    return [("Source (git commit)", commit)] if commit else []


def source_commit(root: Path) -> str | None:
    """The last commit that changed the source or the parameters; None outside a git repository.

    Not HEAD: committing the outcome of a run would otherwise change the outcome of the next one.
    """
    commit = _ask_git(root, "log", "-1", "--format=%H", "--", *SOURCE)
    if not commit:
        return None
    changed = _ask_git(root, "status", "--porcelain", "--untracked-files=no", "--", *SOURCE)
    return f"{commit} with uncommitted changes" if changed else commit


def _ask_git(root: Path, *words: str) -> str | None:
    try:
        answer = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def versions() -> list[Fact]:
    """Versions of Python and of the packages that the numbers depend on."""
    # Of Python no patch release: no number depends on it, and with it the page would differ between machines.
    found = [("mergerscope", __version__), ("Python", ".".join(platform.python_version_tuple()[:2]))]
    for package in PACKAGES:
        try:
            found.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def settings_text(params: Params) -> str:
    """All parameters as YAML, defaults filled in; those that change no byte are left to the machine."""
    # Block by block, so that the graph's test sees that this stage reads, and depends on, every one.
    blocks = {
        "survey": params.survey, "target": params.target, "split": params.split, "flux": params.flux,
        "shard": params.shard,
        "views": params.views, "encoder": params.encoder, "objective": params.objective,
        "train": params.train, "register": params.register_, "embed": params.embed, "evaluate": params.evaluate,
        "rank": params.rank, "report": params.report,
    }  # fmt: skip
    buffer = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    tree = {name: block.model_dump(mode="json") for name, block in blocks.items()}
    for block, field in (("shard", "workers"), ("embed", "engine"), ("rank", "engine")):
        del tree[block][field]
    yaml.dump(tree, buffer)
    return buffer.getvalue()
