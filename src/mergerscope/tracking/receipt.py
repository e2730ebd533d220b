"""The receipt of the registered model: what it is, by content alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.files import write_text

__all__ = ["Receipt"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What ``models/champion.json`` says: no run, version or time, so that it changes only with the model."""

    name: str
    """Of the registered model."""
    alias: str
    """Under which it is loaded."""
    weights_sha256: str
    """Of ``models/encoder.safetensors``."""
    config_sha256: str
    """Of ``models/encoder.json``."""
    embedding_dim: int
    """Numbers an embedding has."""
    image_shape: list[int]
    """C, H, W of an image."""
    validation: dict[str, Any] | None
    """The scores that the gate judged and digests of what they were made on, as in ``results/train/metrics.json``."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a receipt.

        Raises:
            MissingInputError: there is none.
            ContractError: it is not what `save` writes.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise MissingInputError(path, "register") from None
        except (ValueError, TypeError) as error:
            raise ContractError(f"{path} is no receipt of a model: {error}. Run: mergerscope register") from error

    def save(self, path: Path) -> None:
        """Write the receipt, new-then-rename; equal receipts give equal bytes."""
        write_text(path, json.dumps(asdict(self), indent=2) + "\n")

    def tags(self) -> dict[str, str]:
        """Return the receipt as tags of a model version: all that the name and the alias do not say."""
        content = {name: value for name, value in asdict(self).items() if name not in ("name", "alias")}
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in content.items()}

    @classmethod
    def from_tags(cls, name: str, alias: str, tags: Mapping[str, str]) -> Self:
        """Read back what `tags` made.

        Raises:
            ContractError: the tags are not from there.
        """
        try:
            return cls(
                name, alias, tags["weights_sha256"], tags["config_sha256"], json.loads(tags["embedding_dim"]),
                json.loads(tags["image_shape"]), json.loads(tags["validation"]),
            )
        except (KeyError, ValueError) as error:
            raise ContractError(
                f"{name}@{alias} was not registered by mergerscope: its tags tell no {error}. Remove the alias in "
                "MLflow, or set `register.promote: always` in params.yaml."
            ) from error
