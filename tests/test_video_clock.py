"""The small parts of the reader: its clock, and the thread that decodes ahead."""

import threading
from fractions import Fraction
from itertools import islice

import pytest

from mocap_cli.video.prefetch import prefetch
from mocap_cli.video.timestamps import FrameClock


def test_items_made_ahead_come_in_order_and_errors_at_their_place():
    def items():
        yield from range(5)
        raise ValueError("the sixth")

    made = prefetch(items(), depth=2)
    assert list(islice(made, 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="the sixth"):
        next(made)


def test_no_more_is_made_ahead_than_was_asked_for():
    made = []
    numbers = prefetch((made.append(n) or n for n in range(1000)), depth=3)
    next(numbers)
    threading.Event().wait(0.05)
    assert len(made) <= 5  # one taken, three ready, one in hand
    numbers.close()


def test_missing_stamps_follow_at_the_mean_rate():
    clock = FrameClock(Fraction(0), fps=10)
    tick = Fraction(1, 100)
    assert [clock.seconds(s, tick) for s in (0, None, None, 30)] == pytest.approx(
        [0, 0.1, 0.2, 0.3]
    )


def test_a_doubled_stamp_moves_only_its_own_frame():
    clock = FrameClock(Fraction(0), fps=10)
    times = [clock.seconds(stamp, Fraction(1, 10)) for stamp in (0, 1, 1, 2, 3)]
    assert times == pytest.approx([0, 0.1, 0.15, 0.2, 0.3])


def test_stamps_that_begin_again_go_on_counting():
    clock = FrameClock(Fraction(5), fps=10)
    times = [clock.seconds(stamp, Fraction(1, 10)) for stamp in (50, 60, 0, 1, 2)]
    assert times == pytest.approx([0, 1, 1.1, 1.2, 1.3])
