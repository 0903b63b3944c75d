"""The frozen encoder: one encoding for each crop, on the device that is chosen."""

import numpy as np
import pytest
import torch
from film import film

from mocap_cli.errors import MocapError
from mocap_cli.labels.fitting.frozen_encoder import FrozenEncoder


def test_features_of_other_crops_are_not_taken_from_the_cache(tmp_path):
    video, encoder = film(tmp_path / "a.mp4", range(3)), FrozenEncoder.open("imagenet")
    left, right = (np.tile((x, 24.0, 24.0), (3, 1)) for x in (12.0, 52.0))
    found = [
        encoder.encode(video, crops, cache=tmp_path / "cache").time_variant
        for crops in (left, right, left)
    ]
    assert not np.array_equal(found[1], found[0])
    assert np.array_equal(found[2], found[0])


def test_only_the_features_that_are_used_are_computed(tmp_path, monkeypatch):
    video, encoder = film(tmp_path / "a.mp4", range(3)), FrozenEncoder.open("imagenet")
    monkeypatch.setattr(type(encoder.model), "encode", None)  # it computes other features as well
    assert len(encoder.encode(video, None)) == 3


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU")
def test_a_device_that_is_not_there_is_one_line():
    with pytest.raises(MocapError, match="no Apple GPU"):
        FrozenEncoder.open(FrozenEncoder.IMAGENET, "mps")
