"""What test_several_devices.py has the second process do: an importable module, for a process is started with its name.

Both processes call `check` once they have joined, and keep what they found; in training they note down what they see.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch

from mergerscope.learn import fit as fit_module
from mergerscope.learn.across import collect, deal, gather, mean, rank
from mergerscope.learn.encoder import EncoderConfig, build_encoder
from mergerscope.learn.module import EncoderModule
from mergerscope.learn.shared_norm import own_norms, share_norms
from mergerscope.learn.terms import MocoTerm, SimclrTerm
from mergerscope.params import MocoParams, ObjectiveParams

OBJECTIVE = ObjectiveParams(projection_dim=8, moco=MocoParams(weight=1.0, momentum=0.9))
CPU = torch.device("cpu")


def view(number, galaxies=8):
    """A view of the galaxies of both processes."""
    return torch.rand(galaxies, 3, 32, 32, generator=torch.Generator().manual_seed(number))


def make(kind, *given):
    encoder = build_encoder(EncoderConfig(18, 0.125, 16, "stages", 3, 32, pairs_head=True), 1)
    torch.manual_seed(0)
    return encoder, kind(encoder, OBJECTIVE, *given)


def simclr(encoder, term, first, second):
    """The loss of two views that go through the encoder together, as in training."""
    maps = encoder.stages(torch.cat([first, second]))
    parts = zip(*(torch.split(stage, len(first)) for stage in maps), strict=True)
    return term(encoder, dict(zip(("single", "view"), parts, strict=True)), {})["loss"]


def gradients(*modules):
    return [part.grad for module in modules for part in module.parameters() if part.grad is not None]


def check():
    """Return what one process finds with half of a batch of eight."""
    own = slice(4 * rank(), 4 * rank() + 4)
    numbers = torch.arange(8.0)[own, None] * torch.tensor([1.0, 10.0])
    found = {"gathered": gather(numbers), "dealt": deal(numbers), "collected": collect(deal(numbers)),
             "mean": mean(torch.tensor(float(rank())))}  # fmt: skip

    encoder, term = make(SimclrTerm)
    share_norms(encoder, CPU)
    loss = simclr(encoder, term, view(1)[own], view(2)[own])
    loss.backward()
    # As DistributedDataParallel does.
    found["simclr"] = loss.detach(), [mean(part) for part in gradients(encoder, term)]
    own_norms(encoder)
    found["statistics"] = dict(encoder.named_buffers())

    encoder, term = make(MocoTerm, 12)
    with torch.no_grad():
        found["moco"] = [
            term(encoder, {"single": encoder.stages(view(1)[own])}, {"view": view(number)[own]})["loss"]
            for number in (2, 3)
        ]
    found["queue"], found["cursor"] = term.queue, term.cursor
    return found


def watch(notes):
    """Note down the ids, and at the end weights and buffers, of every training in this process."""
    step, epoch = EncoderModule.training_step, EncoderModule.on_train_epoch_start
    notes |= {"ids": [], "views": [], "loss": []}

    def watched_step(self, batch, index):
        notes["ids"][-1].append(list(batch[0]))
        return step(self, batch, index)

    def watched_epoch(self):
        epoch(self)
        notes["ids"].append([])
        notes["views"].append(self.generator.initial_seed())

    def watched_end(self):
        notes["state"] = copy.deepcopy(self.state_dict())

    EncoderModule.training_step = watched_step
    EncoderModule.on_train_epoch_start = watched_epoch
    EncoderModule.on_train_end = watched_end


def assist(notes_file: Path, *given):
    """In place of `mergerscope.learn.fit._assist`: the same, and noted down."""
    *rest, place, join = given
    torch.set_num_threads(1)
    notes = {}
    watch(notes)

    def joined():
        join()
        notes["found"] = check()

    fit_module._follow(fit_module.Training(*rest, place), joined)
    torch.save(notes, notes_file)
