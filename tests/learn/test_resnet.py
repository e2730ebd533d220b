"""The trunk against what is published of it: torchvision's names and shapes, its sizes, and a plain forward pass."""

import pytest
import torch
import torch.nn.functional as F

from mergerscope.learn.resnet import ResNet, stage_channels

PUBLISHED_PARAMETERS = {18: 11_176_512, 34: 21_284_672, 50: 23_508_032}
"""Of torchvision's networks without their classifier."""
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


def norm(name, channels):
    shapes = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (channels,))
    return {f"{name}.{key}": shape for key, shape in (shapes | {"num_batches_tracked": ()}).items()}


def torchvision_names(depth):
    """Names and shapes of torchvision's state dict, in its order, without ``fc``."""
    expected = {"conv1.weight": (64, 3, 7, 7)} | norm("bn1", 64)
    inputs = 64
    for stage, (count, planes) in enumerate(zip(BLOCKS[depth], (64, 128, 256, 512), strict=True), start=1):
        kernels = [(planes, 3), (planes, 3)] if depth < 50 else [(planes, 1), (planes, 3), (4 * planes, 1)]
        outputs = kernels[-1][0]
        for block in range(count):
            name, before = f"layer{stage}.{block}", inputs
            for number, (channels, side) in enumerate(kernels, start=1):
                expected[f"{name}.conv{number}.weight"] = (channels, before, side, side)
                expected |= norm(f"{name}.bn{number}", channels)
                before = channels
            if block == 0 and (stage > 1 or inputs != outputs):
                expected[f"{name}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                expected |= norm(f"{name}.downsample.1", outputs)
            inputs = outputs
    return expected


def plain_forward(state, x, depth):
    """The last stage's map of the published network in evaluation mode, from its weights alone."""

    def convolve(x, name, stride, padding):
        return F.conv2d(x, state[f"{name}.weight"], stride=stride, padding=padding)

    def normalise(x, name):
        part = {key: state[f"{name}.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")}
        return (x - part["running_mean"]) / (part["running_var"] + 1e-5).sqrt() * part["weight"] + part["bias"]

    x = normalise(convolve(x, "conv1", 2, 3), "bn1").relu()
    x = F.max_pool2d(x, 3, 2, 1)
    for stage, count in enumerate(BLOCKS[depth], start=1):
        for block in range(count):
            name, stride = f"layer{stage}.{block}", 2 if block == 0 and stage > 1 else 1
            # the stride lies on the first 3 x 3 convolution
            plan = [(3, stride), (3, 1)] if depth < 50 else [(1, 1), (3, stride), (1, 1)]
            y = x
            for number, (side, step) in enumerate(plan, start=1):
                y = normalise(convolve(y, f"{name}.conv{number}", step, side // 2), f"{name}.bn{number}")
                y = y.relu() if number < len(plan) else y
            if f"{name}.downsample.0.weight" in state:
                x = normalise(convolve(x, f"{name}.downsample.0", stride, 0), f"{name}.downsample.1")
            x = (x + y).relu()
    return x


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_names_shapes_and_size_are_torchvisions_at_width_1(depth):
    with torch.device("meta"):
        net = ResNet(depth, 1.0)
    assert [(name, tuple(value.shape)) for name, value in net.state_dict().items()] == list(
        torchvision_names(depth).items()
    )
    assert sum(value.numel() for value in net.parameters()) == PUBLISHED_PARAMETERS[depth]


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_the_forward_pass_is_the_published_one(depth):
    torch.manual_seed(depth)
    net = ResNet(depth, 0.125).double().eval()
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if name.endswith(("running_mean", "bias")):
                value.normal_(0, 0.1)
            elif name.endswith(("running_var", "bn1.weight", "bn2.weight")):
                value.uniform_(0.5, 1.5)
        x = torch.rand(2, 3, 40, 40, dtype=torch.double)
        torch.testing.assert_close(net(x)[-1], plain_forward(net.state_dict(), x, depth))


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("side", [32, 96])
def test_the_stages_have_a_quarter_to_a_32nd_of_the_size(depth, side):
    net = ResNet(depth, 0.25, channels=5).eval()
    with torch.no_grad():
        maps = net(torch.zeros(2, 5, side, side))
    sizes = [side // reduction for reduction in (4, 8, 16, 32)]
    channels = stage_channels(depth, 0.25)
    assert [tuple(m.shape) for m in maps] == [(2, c, s, s) for c, s in zip(channels, sizes, strict=True)]


@pytest.mark.parametrize(
    ("depth", "width", "channels"),
    [
        (18, 1.0, (64, 128, 256, 512)),
        (34, 0.5, (32, 64, 128, 256)),
        (50, 1.0, (256, 512, 1024, 2048)),
        (18, 0.3, (16, 32, 64, 128)),  # 19.2 to the nearest multiple of 8
        (18, 0.125, (8, 16, 32, 64)),
        (18, 4.0, (256, 512, 1024, 2048)),
    ],
)
def test_channels_are_multiples_of_8(depth, width, channels):
    assert stage_channels(depth, width) == channels
