"""A residual network with torchvision's parameter names, of torch's own layers.

He et al. 2016, "Deep residual learning for image recognition", arXiv:1512.03385. Depth and width are
parameters; at width 1 the names and shapes are those of torchvision, so that published weights load. The
features of all four stages are returned, because early stages hold evidence of mergers that the last has lost.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ResNet", "stage_channels"]

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


def stage_channels(depth: int, width: float) -> tuple[int, int, int, int]:
    """Channels that each of the four stages gives out; a multiple of 8, which vector units like."""
    expansion = Bottleneck.expansion if depth == 50 else BasicBlock.expansion
    base = max(8, int(64 * width / 8 + 0.5) * 8)
    return (base * expansion, 2 * base * expansion, 4 * base * expansion, 8 * base * expansion)


def _conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = _shortcut(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, planes, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 convolutions and a shortcut; the stride lies on the 3 x 3 as in torchvision."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.downsample = _shortcut(inputs, planes * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, 4 planes, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """The trunk: stem and four stages, without a classifier."""

    def __init__(self, depth: int, width: float, channels: int = 3) -> None:
        super().__init__()
        block = Bottleneck if depth == 50 else BasicBlock
        planes = [outputs // block.expansion for outputs in stage_channels(depth, width)]
        self._inputs = planes[0]
        self.conv1 = nn.Conv2d(channels, planes[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes[0])
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        counts = BLOCKS[depth]
        self.layer1 = self._stage(block, planes[0], counts[0], 1)
        self.layer2 = self._stage(block, planes[1], counts[1], 2)
        self.layer3 = self._stage(block, planes[2], counts[2], 2)
        self.layer4 = self._stage(block, planes[3], counts[3], 2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _stage(self, block: type[BasicBlock] | type[Bottleneck], planes: int, count: int, stride: int) -> nn.Sequential:
        blocks: list[nn.Module] = []
        for index in range(count):
            blocks.append(block(self._inputs, planes, stride if index == 0 else 1))
            self._inputs = planes * block.expansion
        return nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the maps of the four stages for images (B, C, H, W), at 1/4, 1/8, 1/16 and 1/32 of their size."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        one = self.layer1(x)
        two = self.layer2(one)
        three = self.layer3(two)
        return one, two, three, self.layer4(three)
