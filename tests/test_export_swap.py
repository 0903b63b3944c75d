"""`mocap export --appearance` as a user types it, with a tiny model, and what it draws."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from blob import SIZE, TINY, film_blob, picture, wall
from film import film
from person import estimate_of

from mocap_cli.errors import MocapError
from mocap_cli.export.appearance_model import AppearanceModel, SubjectBox
from mocap_cli.export.appearance_swap import (
    Appearance,
    _composite,
    _fill_unknown,
    _redraw,
)
from mocap_cli.io.inputs import VIDEOS, find_inputs
from mocap_cli.learning.model.methods import METHODS
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_file import save_model
from mocap_cli.learning.model.spatial_transformer import paste
from mocap_cli.plates.builder import BackgroundOptions, make_background
from mocap_cli.video.reader import open_video, probe

KNOWN = np.ones((SIZE[1], SIZE[0]), bool)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    """Two films, the background of the first, and the run of a model that has learnt nothing."""
    folder = tmp_path_factory.mktemp("swap")
    for seed, name in enumerate("ab"):
        film_blob(folder / f"{name}.mp4", seed, 2)
    options = BackgroundOptions(kind="median", people=False)
    make_background(folder / "a.mp4", options).write(folder / "a.background.npz")
    torch.manual_seed(1)
    save_model(folder / "run" / "best.safetensors", Model(TINY, pretrained=False), META)
    return folder


META = {"step": 7, "clips": ["a.mp4"], "size": [96, 64]}


@pytest.fixture
def mocap(run_mocap, scene):
    """As `run_mocap`, in a folder with the files of the scene."""
    for path in scene.iterdir():
        Path(path.name).symlink_to(path)
    return run_mocap


@pytest.fixture
def painter(scene) -> AppearanceModel:
    return AppearanceModel.open(scene / "run")


def times(path: Path) -> list[float]:
    with open_video(path) as frames:
        return [frame.time for frame in frames]


def test_a_swap_has_the_size_and_the_timing_of_the_video_whose_motion_it_shows(mocap):
    code, out, err = mocap("export a.mp4 --appearance b.mp4 --model run -o swap.mp4")
    assert (code, out) == (0, "")
    assert "a.mp4: 30 frames redrawn" in err
    assert "7 training steps" in err
    assert "the model was not trained on b.mp4" in err
    assert "not trained on a.mp4" not in err
    given, made = probe(Path("a.mp4")), probe(Path("swap.mp4"))
    assert (made.width, made.height) == (given.width, given.height)
    assert times(Path("swap.mp4")) == pytest.approx(times(Path("a.mp4")), abs=1e-6)


def test_a_model_without_a_detector_redraws_the_person_whom_the_tracker_finds(mocap, monkeypatch):
    model = Model(replace(TINY, boxes="given"), pretrained=False)
    save_model(Path("given.safetensors"), model, META)
    spans = []
    monkeypatch.setattr(
        "mocap_cli.export.swap_video.estimate",
        lambda info, span, *_: (spans.append((span.start, span.end)), estimate_of(info))[1],
    )
    typed = "export a.mp4 --appearance b.mp4 --model given.safetensors -o"
    assert mocap(f"{typed} part.mp4 --start 0.5 --end 1")[0] == 0
    assert mocap(f"{typed} swap.mp4")[0] == 0
    assert spans == [(0.5, 1.0), (None, None)] + 2 * [(None, None)]  # only what is redrawn
    with open_video(Path("swap.mp4")) as made, open_video(Path("a.mp4")) as given:
        drawn = np.abs(next(iter(made)).image.astype(int) - next(iter(given)).image)
    middle = drawn[SIZE[1] // 3 : -SIZE[1] // 3, SIZE[0] // 2 - 4 : SIZE[0] // 2 + 4]
    assert middle.mean() > 10 > drawn[:, :8].mean()

    def nobody(info, *_):
        found = estimate_of(info)
        found.keypoints.score[:] = 0
        return found

    monkeypatch.setattr("mocap_cli.export.swap_video.estimate", nobody)
    code, _, err = mocap(f"{typed} none.mp4")
    assert (code, "finds nobody in a.mp4" in err) == (1, True)


def test_a_swap_of_a_part_has_its_frames_and_a_panel_beside_it(mocap):
    typed = "export a.mp4 --appearance b.mp4 --model run/best.safetensors --panel"
    assert mocap(f"{typed} --start 0.5 --end 1 -o out/")[0] == 0
    made = probe(Path("out/a.swap.mp4"))
    assert (made.width, made.height) == (SIZE[0] + SIZE[0] // 2, SIZE[1])
    assert len(times(Path("out/a.swap.mp4"))) == 8
    with pytest.raises(
        MocapError, match="holds no videos"
    ):  # what is made is never taken for input
        find_inputs(Path("out"), VIDEOS, False)


def test_the_sound_of_the_motion_is_kept(mocap):
    film(Path("sung.mp4"), sound_seconds=1.0)
    Path("a.background.npz").rename("sung.background.npz")  # its size is stretched
    code, _, err = mocap("export sung.mp4 --appearance b.mp4 --model run -o swap.mp4")
    assert code == 0, err
    with av.open("swap.mp4") as made:
        assert len(made.streams.audio) == 1


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (
            "a.mp4 --appearance b.mp4 -o s.mp4",
            1,
            "there is no model runs/pretrain/best.safetensors",
        ),
        ("b.mp4 -o s.mp4", 1, "mocap pretrain A.mp4 B.mp4 -o runs/pretrain"),
        (
            "b.mp4 --model other.safetensors -o s.mp4",
            1,
            "there is no model other.safet",
        ),
        ("b.mp4 --model foreign.safetensors -o s.mp4", 1, "is not a model"),
        (
            "b.mp4 --model css.safetensors -o s.mp4",
            1,
            "method css has no decoder",
        ),
        ("b.mp4 --model run -o s.bvh", 2, "give one .mp4"),
        ("b.mp4 --model run -o s.mp4 -o t.mp4", 2, "give one .mp4"),
        ("b.mp4 --model run -o a.mp4", 1, "a.mp4 would overwrite the input a.mp4"),
        (
            "b.mp4 --model run -o b.mp4",
            1,
            "b.mp4 would overwrite the input b.mp4",
        ),
        ("c.mp4 --model run -o s.mp4", 1, "c.mp4 does not exist"),
        ("run/best.safetensors --model run -o s.mp4", 1, "is not a video"),
        ("b.mp4 a.json --model run -o s.mp4", 2, "may be several"),
        (
            "b.mp4 --mirror --model run -o s.mp4",
            2,
            "does not go with --appearance",
        ),
        ("b.mp4 --model run -o s.mp4 --start 9", 1, "no frame"),
    ],
)
def test_what_cannot_be_swapped_is_said_in_one_line_and_leaves_nothing(mocap, typed, code, said):
    Path("foreign.safetensors").write_text("a text")
    if "css" in typed:
        config = replace(TINY, method="css")
        save_model(Path("css.safetensors"), Model(config, pretrained=False), META)
    left, out, err = mocap(f"export a.mp4 --appearance {typed}")
    assert (left, out) == (code, ""), err
    assert said in err
    assert "Traceback" not in err
    assert not Path("s.mp4").exists()


def test_a_model_without_a_swap_has_no_meaning(mocap):
    code, _, err = mocap("export a.json --model run -o a.bvh")
    assert code == 2
    assert "--appearance" in err


def test_a_frame_that_is_all_background_stays_as_it_is(painter):
    empty = wall(0)
    looks = Appearance(torch.zeros(1, TINY.ti), empty)
    assert (_redraw(painter, empty, empty, KNOWN, looks) == empty).all()


def test_the_person_is_gone_and_another_drawn_inside_the_box_alone(painter, scene):
    """Outside of the box a redrawn frame is the background, bit for bit."""
    looks = Appearance.read(painter, scene / "b.mp4")
    image, plate = picture(0, 1.0), wall(0)
    made = _redraw(painter, image, plate, KNOWN, looks)
    box = painter.encode(image)[2]
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    away = (np.abs(x - box.left - box.width / 2) > box.width / 2 + 1) | (
        np.abs(y - box.top - box.height / 2) > box.height / 2 + 1
    )
    assert (made[away] == plate[away]).all()
    assert np.abs(made.astype(int) - plate).max() > 20


def test_the_box_of_a_larger_video_is_the_same_box_larger(painter):
    """The shape of the video differs from what was learnt, so it gets rims; they do not count."""
    small = picture(3, 0.5, (64, 64))
    large = np.repeat(np.repeat(small, 4, 0), 4, 1)
    one, other = painter.encode(small)[2], painter.encode(large)[2]
    for name in ("left", "top", "width", "height"):
        assert getattr(other, name) == pytest.approx(4 * getattr(one, name), abs=0.5)


def test_a_crop_is_laid_over_where_training_pasted_it():
    """`paste` of the training, at the picture's own size and bilinear, is the reference."""
    rng = np.random.default_rng(4)
    smooth = torch.from_numpy(rng.uniform(0, 1, (1, 4, 5, 5)).astype(np.float32))
    crop = torch.nn.functional.interpolate(smooth, (32, 32), mode="bicubic").clamp(0, 1)
    crop[:, 3] = 1
    box = torch.tensor([[0.4, 0.5, 0.25, -0.125]])
    pasted = paste(crop, box, 64, 96, beyond="border")[0, :3].permute(1, 2, 0).numpy()
    canvas = np.zeros((64, 96, 3), np.uint8)
    drawn = crop[0].permute(1, 2, 0).numpy() * np.array([255, 255, 255, 1], np.float32)
    place = SubjectBox(
        left=(0.25 - 0.4 + 1) * 48, top=(-0.125 - 0.5 + 1) * 32, width=38.4, height=32
    )
    _composite(canvas, drawn, place)
    inside = (slice(14, 42), slice(43, 77))
    assert np.abs(canvas[inside] - 255 * pasted[inside]).max() < 6


def test_a_box_that_hangs_over_the_edge_is_drawn_as_far_as_it_goes():
    canvas = np.zeros((20, 20, 3), np.uint8)
    _composite(
        canvas, np.full((8, 8, 4), (200, 100, 50, 1), np.float32), SubjectBox(-5, -5, 10, 10)
    )
    assert (canvas[:5, :5] == (200, 100, 50)).all()
    assert not canvas[5:].any()
    _composite(canvas, np.full((8, 8, 4), 1, np.float32), SubjectBox(30, 30, 10, 10))
    assert not canvas[5:].any()


def test_holes_of_the_background_are_mended_from_around_them():
    picture_ = np.full((40, 40, 3), 90, np.uint8)
    known = np.ones((40, 40), bool)
    known[18:21, 18:21] = False
    picture_[18:21, 18:21] = 255
    assert (_fill_unknown(picture_, known) == 90).all()


def test_looks_bear_with_frames_that_show_nobody(painter, tmp_path):
    """A third of the frames without the person moves the code less than another person does."""
    film_blob(tmp_path / "whole.mp4", 2, 2)
    film_blob(tmp_path / "other.mp4", 3, 2)
    whole, other = (
        Appearance.read(painter, tmp_path / f"{n}.mp4").code for n in ("whole", "other")
    )
    codes = [painter.encode(picture(2, t / 15))[1] for t in range(20)]
    codes += [painter.encode(wall(9))[1] for _ in range(8)]
    mixed = torch.stack(codes).median(dim=0).values
    assert (mixed - whole).norm() < (other - whole).norm()


def test_every_method_that_draws_from_two_codes_can_swap(tmp_path):
    for name, method in METHODS.items():
        if not (method.decoder and method.split):
            continue
        config = replace(TINY, method=name)
        save_model(tmp_path / f"{name}.safetensors", Model(config, pretrained=False), META)
        painter = AppearanceModel(tmp_path / f"{name}.safetensors")
        tv, ti, _ = painter.encode(picture(0, 0.0))
        assert painter.draw(tv, ti).shape == (32, 32, 4)
