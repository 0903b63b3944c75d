"""The reader of BVH files: forward kinematics, truncated files, damage."""

import numpy as np
import pytest
from poses import dance, motion_of

from mocap_cli.errors import MocapError
from mocap_cli.export.formats.animation import animate
from mocap_cli.export.formats.bvh import write_bvh
from mocap_cli.io.bvh import read_bvh

TIMES = np.arange(30) / 60
ARM = """HIERARCHY
ROOT Upper Arm {
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Hand
  {
    OFFSET 10 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.04
0 0 0 0 0 0 0 0 0
0 100 0 90 0 0 -90 0 0
"""


def test_joints_are_placed_by_forward_kinematics(tmp_path):
    (tmp_path / "a.bvh").write_text(ARM)
    bvh = read_bvh(tmp_path / "a.bvh")
    assert [joint.name for joint in bvh.joints] == ["Upper Arm", "Hand", "HandEnd"]
    assert (bvh.period, bvh.frames, bvh.index("Hand")) == (0.04, 2, 1)
    np.testing.assert_array_equal(bvh.rest_positions(), [[1, 2, 3], [11, 2, 3], [16, 2, 3]])
    positions, rotations = bvh.world_pose()
    np.testing.assert_allclose(positions[0], [[0, 0, 0], [10, 0, 0], [15, 0, 0]], atol=1e-9)
    np.testing.assert_allclose(positions[1], [[0, 100, 0], [0, 110, 0], [5, 110, 0]], atol=1e-9)
    np.testing.assert_allclose(rotations[1, 1], np.eye(3), atol=1e-9)


def test_a_truncated_file_gives_its_complete_frames_and_the_number_announced(tmp_path):
    write_bvh(animate(motion_of(dance(TIMES), TIMES)), tmp_path / "a.bvh")
    whole = (tmp_path / "a.bvh").read_text()
    (tmp_path / "b.bvh").write_text(whole[: int(0.8 * len(whole))])
    whole_bvh, part = read_bvh(tmp_path / "a.bvh"), read_bvh(tmp_path / "b.bvh")
    assert part.frames == whole_bvh.frames == 30 > len(part.values)
    np.testing.assert_array_equal(part.values, whole_bvh.values[: len(part.values)])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("MOTION", "", "Frames: 2"),
        ("Frame Time: 0.04", "Frame Time: nan", "Frame Time"),
        ("Frame Time: 0.04", "Frame Time: 1e9", "Frame Time"),
        ("Frame Time: 0.04", "0.04", "missing"),
        ("OFFSET 10 0 0", "OFFSET 10 0", "OFFSET"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation", "CHANNELS"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Xrotation", "CHANNELS"),
        ("JOINT Hand", "BONE Hand", "BONE Hand"),
        ("ROOT Upper Arm {", "End Site {", "End Site"),
        ("0 0 0 0 0 0 0 0 0", "0 0 0 inf 0 0 0 0 0", "channel"),
    ],
)
def test_damage_is_one_line_that_names_the_file_and_what_is_wrong(tmp_path, old, new, reason):
    assert old in ARM
    (tmp_path / "a.bvh").write_text(ARM.replace(old, new))
    with pytest.raises(MocapError, match=reason) as caught:
        read_bvh(tmp_path / "a.bvh")
    assert "a.bvh" in caught.value.message
    assert "\n" not in caught.value.message
