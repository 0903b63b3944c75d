"""Preview sheets and loss curves."""

import numpy as np
import pytest
import torch
from blob import TINY, scenes, settings

from mocap_cli.cli.display import format_duration
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.loop.loss_curves import draw_curves
from mocap_cli.learning.loop.metrics_log import MetricsLog
from mocap_cli.learning.loop.previews import Previews, _draw_sheet, _PreviewImages
from mocap_cli.learning.model.model import Model

YELLOW = (255, 210, 0)


def parts(count: int, **changes) -> _PreviewImages:
    grey = torch.full((count, 3, 72, 144), 0.5)
    nothing = dict.fromkeys(("boxes", "masks", "decoded", "composite", "swaps"))
    return _PreviewImages(frames=grey, plates=grey, crops=grey[..., :72], **{**nothing, **changes})


def test_a_box_is_outlined_where_it_lies():
    """A quarter of the picture's width to the right of its middle, as high as half of it."""
    boxes = torch.tensor([[0.25, 0.5, 0.25, 0.0]])
    sheet = _draw_sheet(parts(1, boxes=boxes), "")
    rows, columns = np.nonzero((sheet == YELLOW).all(-1))
    # The picture is 144x72 in the middle of a tile of 144x144.
    assert columns.min() == pytest.approx(72, abs=1)
    assert columns.max() == pytest.approx(72 + 36, abs=1)
    assert rows.max() - rows.min() == pytest.approx(36, abs=1)


def test_the_sheet_of_a_method_without_a_decoder_has_fewer_columns():
    full = {"masks": torch.ones(2, 1, 32, 32), "decoded": torch.ones(2, 3, 32, 32)}
    narrow, wide = _draw_sheet(parts(2), "css"), _draw_sheet(parts(2, **full), "ours")
    assert wide.shape[1] - narrow.shape[1] == 2 * (narrow.shape[1] // 3)
    swapped = _draw_sheet(parts(2, swaps=torch.zeros(2, 2, 3, 32, 32), **full), "ours")
    assert swapped.shape[0] > wide.shape[0]


def test_a_falling_loss_falls_in_its_plot_and_every_loss_has_one():
    rows = [{"step": i, "falls": 10.0 - i / 10, "rises": i / 10} for i in range(1, 101)]
    picture = draw_curves(rows)
    assert draw_curves([*rows, {"step": 100, "more": 1.0}]).shape == picture.shape
    assert draw_curves([{**row, "a": 1.0, "b": 2.0} for row in rows]).shape[0] > picture.shape[0]
    width = picture.shape[1] // 3
    falls, rises = _height(picture[:, :width]), _height(picture[:, width : 2 * width])
    assert falls[0] < falls[1]  # rows of a picture count downwards
    assert rises[0] > rises[1]


def _height(plot) -> tuple[float, float]:
    """The mean row of the line in the left and in the right half."""
    rows, columns = np.nonzero((plot[30:210] == (31, 98, 179)).all(-1))
    middle = (columns.min() + columns.max()) / 2
    return rows[columns < middle].mean(), rows[columns > middle].mean()


def test_previews_are_written_at_first_when_due_and_at_last_and_change_no_model(tmp_path):
    torch.manual_seed(1)
    model = Model(TINY).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    (tmp_path / MetricsLog.NAME).write_text('{"step": 1, "pixels": 0.5}\n')
    gallery = Previews(Dataset([scenes(0), scenes(1)]), settings(steps=9), tmp_path, minutes=60)
    for step in (1, 2, 3, 9):
        gallery.update(step, model)
    drawn = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert drawn == ["step-0000001.png", "step-0000009.png"]
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_durations_are_formatted_in_two_units():
    said = [format_duration(seconds) for seconds in (4.4, 61, 3600 * 2 + 300, 86400 * 3 + 7200)]
    assert said == ["4 s", "1 min 1 s", "2 h 5 min", "3 d 2 h"]
