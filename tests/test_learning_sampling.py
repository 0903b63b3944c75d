"""Which frames make up a batch: theorems about times, seeds and splits."""

from collections import Counter

import numpy as np
import pytest
from blob import scenes

from mocap_cli.errors import MocapError
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.ingest import _take_and_view
from mocap_cli.learning.data.sampling import BatchIndices, BatchSampler, Gaps, UsableFrames
from mocap_cli.learning.model.methods import METHODS

GAPS = Gaps(near=0.3, far=2.0, fall=(0.2, 0.4))
OURS = METHODS["ours"].slots


def sample_batch(clips, slots, gaps, size, seed) -> BatchIndices:
    return BatchSampler(clips, gaps).batch(slots, size, seed)


def reel(times, clip=0, take=0, view=0) -> UsableFrames:
    times = np.asarray(times, np.float64)
    return UsableFrames(clip, take, view, times, np.arange(len(times)))


def uneven(count: int, seed: int = 0):
    """Times of a phone: no two steps alike."""
    return np.cumsum(np.random.default_rng(seed).uniform(0.03, 0.12, count))


def same(a: BatchIndices, b: BatchIndices) -> bool:
    pairs = ((a.clips, b.clips), (a.frames, b.frames), (a.times, b.times), (a.views, b.views))
    return all(np.array_equal(x, y) for x, y in pairs)


def test_a_batch_follows_from_seed_and_step_alone():
    reels = [reel(uneven(90)), reel(uneven(120, 1), clip=1)]
    assert same(
        sample_batch(reels, OURS, GAPS, 16, (5, 7)), sample_batch(reels, OURS, GAPS, 16, (5, 7))
    )
    assert not same(
        sample_batch(reels, OURS, GAPS, 16, (5, 7)), sample_batch(reels, OURS, GAPS, 16, (5, 8))
    )
    assert not same(
        sample_batch(reels, OURS, GAPS, 16, (5, 7)), sample_batch(reels, OURS, GAPS, 16, (6, 7))
    )


def test_near_middle_and_far_are_as_far_apart_as_they_say():
    drawn = sample_batch([reel(uneven(200))], OURS, GAPS, 500, (1, 1))
    near, middle, far = np.abs(drawn.times[:, 1:] - drawn.times[:, :1]).T
    assert (near > 0).all()
    assert (near <= GAPS.near).all()
    assert (middle >= GAPS.near).all()
    assert (middle <= GAPS.far).all()
    assert (far >= GAPS.far).all()


def test_every_allowed_frame_is_sampled_and_no_other():
    times = uneven(40)
    rows = sample_batch(
        [reel(times)], ("reference", "near", "far", "far"), GAPS, 20000, (2, 2)
    ).frames
    for at in (0, 7, 39):
        away = np.abs(times - times[at])
        mine = rows[rows[:, 0] == at]
        assert set(mine[:, 1]) == set(np.flatnonzero((away <= GAPS.near) & (away > 0)))
        assert set(mine[:, 2]) == set(np.flatnonzero(away >= GAPS.far)) or away.max() < GAPS.far


def test_every_frame_is_equally_often_the_reference():
    reels = [reel(uneven(10)), reel(uneven(30, 1), clip=1)]
    drawn = sample_batch(reels, OURS, GAPS, 40000, (3, 3))
    counts = Counter(zip(drawn.clips[:, 0].tolist(), drawn.frames[:, 0].tolist(), strict=True))
    assert len(counts) == 40
    assert max(abs(n - 1000) for n in counts.values()) < 6 * np.sqrt(1000)


def test_a_clip_shorter_than_far_gives_its_farthest_frame():
    drawn = sample_batch([reel([0, 0.1, 0.2, 0.3, 0.4])], OURS, GAPS, 50, (4, 4))
    reference, far = drawn.times[:, 0], drawn.times[:, 3]
    assert np.allclose(np.abs(far - reference), np.maximum(reference, 0.4 - reference))


def test_the_free_fall_stage_samples_four_frames_equally_spaced_in_time():
    slots = METHODS["ours"].in_free_fall().slots
    steps = np.diff(sample_batch([reel(np.arange(60) / 30)], slots, GAPS, 200, (5, 5)).times)
    assert (steps > 0).all()
    assert np.abs(steps - steps.mean(axis=1, keepdims=True)).max() <= 1 / 30 + 1e-9
    assert steps.mean() == pytest.approx(0.3, abs=0.05)


def test_several_views_show_the_same_instant():
    reels = [reel(np.arange(50) / 15, 0, take=0, view=1), reel(np.arange(50) / 15, 1, 0, view=2)]
    drawn = sample_batch(reels, METHODS["mv-css"].slots, GAPS, 50, (6, 6))
    assert (drawn.times[:, 0] == drawn.times[:, 1]).all()
    assert (drawn.views[:, 0] != drawn.views[:, 1]).all()
    assert (drawn.clips[:, 0] == drawn.clips[:, 2]).all()


def test_two_views_are_paired_only_where_both_show_the_moment():
    early, late = reel(np.arange(50) / 10, 0, view=1), reel(3 + np.arange(50) / 10, 1, view=2)
    drawn = sample_batch([early, late], METHODS["mv-css"].slots, GAPS, 200, (6, 6))
    assert np.abs(drawn.times[:, 0] - drawn.times[:, 1]).max() <= 0.05
    apart = reel(20 + np.arange(50) / 10, 1, view=2)
    with pytest.raises(MocapError, match="never show the same moment"):
        sample_batch([early, apart], METHODS["mv-css"].slots, GAPS, 2, (6, 6))


def test_a_method_for_several_views_refuses_clips_of_one_camera():
    with pytest.raises(MocapError, match="several cameras"):
        sample_batch([reel(uneven(50))], METHODS["nsd"].slots, GAPS, 2, (7, 7))


def test_a_camera_number_in_the_name_makes_files_one_take():
    assert _take_and_view("jump.cam2") == ("jump", 2)
    assert _take_and_view("jump_CAM10") == ("jump", 10)
    assert _take_and_view("webcam3") == ("webcam3", 0)


def test_processes_share_a_batch_without_loss():
    whole = sample_batch([reel(uneven(90))], OURS, GAPS, 8, (8, 8))
    parts = [whole.select(slice(rank, None, 2)) for rank in range(2)]
    assert np.array_equal(np.stack([p.frames for p in parts], 1).reshape(8, 4), whole.frames)


def test_held_out_frames_are_one_stretch_that_training_never_sees():
    dataset = Dataset([scenes(0, 100), scenes(1, 10)])
    train, held = dataset.training_frames(), dataset.held_out_frames()
    assert [len(r) for r in held] == [10, 0]  # of ten frames none can be spared
    assert (np.diff(held[0].frames) == 1).all()
    assert not set(held[0].frames) & set(train[0].frames)
    assert len(train[0]) + len(held[0]) == 100


def test_views_of_a_take_agree_on_what_is_held_out():
    dataset = Dataset([scenes(0, 80, take="jump", view=1), scenes(1, 80, take="jump", view=2)])
    first, second = dataset.held_out_frames()
    assert (first.frames == second.frames).all()


def test_empty_frames_and_frames_with_several_people_are_left_out():
    clip = scenes(0, 60)
    clip.stored.moved[:10] = 0.0
    clip.stored.people[50:] = 3
    census = Dataset([clip]).count_frames(clip)
    assert (census.frames, census.empty, census.crowded) == (60, 10, 10)

    def used(crowds) -> set:
        dataset = Dataset([clip], crowds)
        splits = dataset.training_frames(), dataset.held_out_frames()
        return {int(f) for clips in splits for f in clips[0].frames}

    assert used("skip") == set(range(10, 50))
    assert used("keep") == set(range(10, 60))


def test_moving_leaves_are_an_empty_frame_and_an_undetected_diver_is_not():
    clip = scenes(0, 60)
    clip.stored.people[:30] = 0
    clip.stored.moved[:10] = 0.02  # leaves
    clip.stored.moved[10:30] = 0.08  # a diver
    assert Dataset([clip]).count_frames(clip).empty == 10
    clip.stored.people[:] = 0  # nothing to compare with: who knows
    assert Dataset([clip]).count_frames(clip).empty == 0


def test_a_gathered_batch_has_the_sampled_frames():
    dataset = Dataset([scenes(0), scenes(1)])
    drawn = sample_batch(dataset.training_frames(), OURS, Gaps(near=0.3, far=1.0), 3, (9, 9))
    batch = dataset.gather(drawn)
    for b in range(3):
        for s in range(4):
            stored = dataset.clips[drawn.clips[b, s]].stored
            shown = batch.frames[b, s].permute(1, 2, 0).numpy()
            assert np.array_equal(shown, stored.frames[drawn.frames[b, s]])
            assert np.array_equal(batch.plates[b, s].permute(1, 2, 0).numpy(), stored.plates[0])
