"""Random backgrounds: who is kept, what is replaced, and runs that use them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from blob import SIZE, TINY, film_blob, scenes

from mocap_cli.errors import MocapError
from mocap_cli.learning import options as options_module
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.random_backgrounds import RandomBackgrounds
from mocap_cli.learning.data.sampling import BatchSampler, Gaps
from mocap_cli.learning.loop.settings import PRESETS
from mocap_cli.learning.model.methods import METHODS

RED, GREEN = (250, 20, 20), (20, 250, 20)


def some_batch(count: int = 6):
    footage = Dataset([scenes(seed) for seed in range(3)])
    sampler = BatchSampler(footage.training_frames(), Gaps(near=0.3, far=2.0))
    return footage.gather(sampler.batch(METHODS["ours"].slots, count, (1,)))


def plain(*colours) -> RandomBackgrounds:
    return RandomBackgrounds(
        np.stack([np.full((SIZE[1], SIZE[0], 3), c, np.uint8) for c in colours])
    )


def test_the_person_stays_and_the_rest_is_another_image():
    batch = some_batch()
    varied = plain(RED).put_behind(batch, np.random.default_rng(0))
    red = torch.tensor(RED, dtype=torch.uint8).view(3, 1, 1)
    assert (varied.plates == red).all()
    assert varied.known.all()
    differs = (batch.frames.float() - batch.plates.float()).abs().amax(2) > 60
    kept = (varied.frames == batch.frames).all(2)
    assert kept[differs].float().mean() > 0.9
    replaced = (varied.frames == red).all(2)
    assert replaced[~differs].float().mean() > 0.85
    assert torch.equal(varied.times, batch.times)


def test_all_frames_of_an_item_get_one_image_that_follows_from_the_seed():
    batch, images = some_batch(), plain(RED, GREEN)
    one, again, other = (
        images.put_behind(batch, np.random.default_rng(seed)).plates for seed in (0, 0, 1)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert (one == one[:, :1]).all()
    assert len(one[:, 0, 0, 0, 0].unique()) == 2


def test_what_is_unknown_of_the_background_is_kept():
    batch = some_batch()
    batch = replace(batch, known=torch.zeros_like(batch.known))
    assert torch.equal(plain(RED).put_behind(batch, np.random.default_rng(0)).frames, batch.frames)


def test_images_are_cut_to_the_frames_and_broken_ones_left_out(tmp_path):
    tall = np.zeros((300, 100, 3), np.uint8)
    tall[120:180] = (20, 20, 250)  # BGR
    cv2.imwrite(str(tmp_path / "a.png"), tall)
    (tmp_path / "b.jpg").write_bytes(b"no image")
    (tmp_path / "c.txt").write_text("nothing")
    images = RandomBackgrounds.read(tmp_path, (100, 50)).images
    assert images.shape == (1, 50, 100, 3)
    assert (images == RED).all()
    (tmp_path / "a.png").unlink()
    with pytest.raises(MocapError, match="no images"):
        RandomBackgrounds.read(tmp_path, (100, 50))


def test_a_run_keeps_its_random_backgrounds_for_resuming(run_mocap, monkeypatch, tmp_path):
    small = replace(PRESETS["small"], model=TINY)
    monkeypatch.setattr(options_module, "PRESETS", {"small": small})
    film_blob(Path("blob.mp4"), 0, 2)
    Path("photos").mkdir()
    cv2.imwrite("photos/a.png", np.full((40, 60, 3), 200, np.uint8))
    usual = "--side 96 --batch 2 --preset small --device cpu --background median"
    typed = f"pretrain blob.mp4 -o runs/a --random-backgrounds photos --steps 1 {usual}"
    assert run_mocap(typed)[0] == 0
    assert RandomBackgrounds.reopen(Path("runs/a")).images.shape == (1, 64, 96, 3)
    Path("photos/a.png").unlink()
    assert run_mocap("pretrain -o runs/a --resume --steps 2 --device cpu")[0] == 0
    path = Path("runs/a/backgrounds.npz")
    path.write_bytes(path.read_bytes()[:-99])
    code, _, err = run_mocap("pretrain -o runs/a --resume --steps 3 --device cpu")
    assert (code, "cannot resume" in err) == (1, True)
