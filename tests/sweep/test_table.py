"""What a sweep shows of itself while it runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mergerscope.sweep.table import Board, BoardState, Running

HALFWAY = BoardState(
    done=5, pruned=3, failed=1, best=(4, 0.5831), baseline=0.5, elapsed=600.0,
    running=[Running(9, 3, 6, 0.41, 72.0), Running(10, 0, 6, None, 4.0)],
)  # fmt: skip


def console(*, terminal: bool, width: int = 100) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None, legacy_windows=False)


def written(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def drawn(board: Board, width: int = 100) -> str:
    paper = console(terminal=False, width=width)
    paper.print(board.render())
    return written(paper)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_shows_what_runs_what_is_done_and_what_is_left(width: int) -> None:
    board = Board(console(terminal=True), "strength", 20, 2, None)
    board.update(BoardState())
    board.update(HALFWAY)
    text = " ".join(drawn(board, width).split())
    assert "sweep strength 9 of 20 trials: 5 complete, 3 pruned, 1 failed, 2 running with 2 workers" in text
    assert "best 0.583 (trial 4), present settings 0.500" in text
    # 9.5 trials in 600 s, and 10.5 more to do
    assert "10:00 gone, about 11:03 left" in text
    rows = [" ".join(line.split()) for line in drawn(board).split("\n")]
    assert rows[3].startswith("9 3/6")
    assert rows[3].endswith("0.410 1:12")
    assert rows[4].endswith("\N{EN DASH} 0:04")


def test_a_terminal_is_redrawn_and_left_with_the_last_state() -> None:
    to = console(terminal=True)
    with Board(to, "strength", 20, 2, None) as board:
        board.update(HALFWAY)
    assert "best 0.583" in written(to)


def test_a_log_gets_one_line_a_finished_trial() -> None:
    to = console(terminal=False, width=40)
    with Board(to, "strength", 3, 1, None) as board:
        for epoch in range(3):
            board.update(BoardState(running=[Running(0, epoch, 3, 0.1, 5.0)], elapsed=5.0 * epoch))
        board.update(BoardState(done=1, best=(0, 0.5), baseline=0.5, elapsed=20.0))
        board.update(BoardState(done=1, best=(0, 0.5), baseline=0.5, elapsed=25.0, running=[Running(1, 0, 3, None, 5)]))
        board.update(BoardState(done=1, pruned=1, best=(0, 0.5), baseline=0.5, elapsed=40.0))
    lines = written(to).splitlines()
    assert len(lines) == 2
    assert lines[0] == (
        "sweep strength: 1 of 3 trials: 1 complete, 0 pruned, 0 failed, 0 running with 1 worker; best 0.500 (trial 0), "
        "present settings 0.500; 0:20 gone, about 0:40 left"
    )
    assert "1 pruned" in lines[1]


def test_what_was_done_before_a_resume_does_not_count_for_the_pace() -> None:
    board = Board(console(terminal=False), "strength", 20, 2, None)
    board.update(BoardState(done=10))
    assert board.seconds_left() is None
    board.update(BoardState(done=12, elapsed=60.0))
    assert board.seconds_left() == pytest.approx(8 * 30.0)


def test_time_left_ends_with_the_timeout_and_at_nothing() -> None:
    board = Board(console(terminal=False), "strength", 20, 2, timeout=100.0)
    board.update(BoardState())
    assert board.seconds_left() == 100.0
    board.update(BoardState(done=1, elapsed=60.0))
    assert board.seconds_left() == pytest.approx(40.0)
    board.update(BoardState(done=20, elapsed=80.0))
    assert board.seconds_left() == 0.0
    board.update(BoardState(done=5, elapsed=120.0))
    assert board.seconds_left() == 0.0


def test_many_running_trials_are_cut_short_and_a_recall_without_a_value_is_a_dash() -> None:
    board = Board(console(terminal=False), "wide", 200, 64, None)
    board.update(BoardState(running=[Running(number, 0, 0, float("nan"), 4000.0) for number in range(64)]))
    text = drawn(board)
    assert "and 48 more" in text
    assert "nan" not in text
    assert "1:06:40" in text
    assert "none complete yet" in text


def test_a_name_is_no_markup() -> None:
    to = console(terminal=False)
    board = Board(to, "[bold]x[/]", 1, 1, None)
    board.update(BoardState())
    board.update(BoardState(done=1, elapsed=1.0))
    assert "sweep [bold]x[/]:" in written(to)
    assert "[bold]x[/]" in drawn(board)
