"""The label page: what stands in the file, and labels made in real Chromium and read again."""

import base64
import json
import re

import cv2
import numpy as np
import pytest
from chromium import visit

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.labels.label_page import FrameToLabel, write_label_page
from mocap_cli.labels.readers.dispatch import read_labels

SIZE = (640, 480)
NUMBERS = (11, 40, 73)  # as in the names of the images
K = len(KEYPOINTS)
NOSE, LEFT_EYE, LEFT_WRIST, RIGHT_WRIST, TOE = (
    KEYPOINTS.index(name) for name in ("nose", "left_eye", "left_wrist", "right_wrist", "right_toe")
)


def detected() -> Keypoints:
    """A person as a lattice of keypoints, far apart from each other; nobody in the last frame."""
    xy = np.stack((120 + 80 * (np.arange(K) % 5), 60 + 70 * (np.arange(K) // 5)), axis=1)
    places = np.stack((xy, xy + 10.128, np.full_like(xy, np.nan, dtype=float))).astype(np.float32)
    score = np.full((3, K), 0.9, np.float32)
    score[0, LEFT_EYE] = 0.1
    places[0, TOE] = -3, 20
    yes = np.array([True, True, False])
    times = np.array(NUMBERS) / 30
    return Keypoints(times=times, xy=places, score=score, detected=yes, cut=~yes & False)


def pictures() -> list[np.ndarray]:
    width, height = SIZE
    made = np.mgrid[:height, :width].sum(axis=0)[..., None] * [0.2, 0.1, 0.05]
    return [(made + 30 * k).astype(np.uint8) for k in range(3)]


@pytest.fixture
def page(tmp_path):
    """A page of three frames; `</script>` stands in its texts."""
    images = [
        {"id": 7 + k, "file_name": f"di</script>ve_{number:06d}.png", "width": SIZE[0],
         "height": SIZE[1], "time": (number - 1) / 30}
        for k, number in enumerate(NUMBERS)
    ]  # fmt: skip
    person = {"id": 1, "name": "person", "keypoints": KEYPOINTS, "skeleton": [[6, 8], [8, 10]]}
    coco = {"images": images, "annotations": [], "categories": [person]}
    found = detected()
    frames = [FrameToLabel.of(image, found, k) for k, image in enumerate(pictures())]
    write_label_page(tmp_path / "labels.html", coco, frames)
    return tmp_path / "labels.html"


def settings_of(text):
    return json.loads(re.search(r'id="settings">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_holds_the_frames_and_what_the_tracker_detected_in_them(page):
    text = page.read_text("utf-8")
    settings = settings_of(text)
    guesses = settings["guesses"]
    assert [image["id"] for image in settings["coco"]["images"]] == [7, 8, 9]
    for k, picture in enumerate(pictures()):
        carried = re.search(rf'id="frame-{k}">(.*?)</script>', text)[1]
        jpeg = np.frombuffer(base64.b64decode(carried), np.uint8)
        shown = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(shown.astype(int) - picture).mean() < 2
    xy = np.array([point[:2] for point in guesses[1]])
    np.testing.assert_allclose(xy, detected().xy[1], atol=0.0051)
    assert {point[2] for point in guesses[1]} == {2}
    assert guesses[0][LEFT_EYE][2] == 1  # of low confidence: perhaps occluded
    assert guesses[0][TOE] == [None, None, 0]  # outside the image
    assert guesses[2] == [[None, None, 0]] * K  # nobody
    assert [settings["mirror"][i] for i in (NOSE, LEFT_WRIST)] == [NOSE, RIGHT_WRIST]


def test_a_large_frame_is_embedded_smaller_and_its_coordinates_stay_those_of_the_video():
    xy = np.full((1, K, 2), 3000.5, np.float32)
    found = Keypoints(times=np.zeros(1), xy=xy, score=np.ones((1, K), np.float32),
                      detected=np.ones(1, bool), cut=np.zeros(1, bool))  # fmt: skip
    frame = FrameToLabel.of(np.zeros((3200, 3840, 3), np.uint8), found, 0)
    assert cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), 1).shape == (1600, 1920, 3)
    assert frame.guess[0] == (3000.5, 3000.5, 2)


def test_the_page_may_ask_for_nothing_outside_itself(page):
    text = page.read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    assert not re.search(r"""(src|href)=["']""", text)


TOOLS = """
const state = () => tab.evaluate(() => {
  const { labels, view } = window.mocap;
  const box = document.getElementById("image").getBoundingClientRect();
  const screen = labels.points.map((p) => p[0] === null ? null : view.onScreen(p));
  return { points: labels.points, frame: labels.frame, done: labels.done, scale: view.scale,
           screen: screen.map((p) => p && [p[0] + box.left, p[1] + box.top]) };
});
const ready = async (frame) => {
  for (let k = 0; k < 100; k++) {
    if (await tab.evaluate((f) => window.mocap.view.shows === f, frame)) return;
    await tab.waitForTimeout(20);
  }
  throw new Error("frame " + frame + " does not appear");
};
const press = async (...keys) => { for (const key of keys) await tab.keyboard.press(key); };
await ready(0);
"""

CORRECT = """
const drag = async (joint, dx, dy) => {
  const [x, y] = (await state()).screen[joint];
  await tab.mouse.move(x, y);
  await tab.mouse.down();
  await tab.mouse.move(x + dx / 2, y + dy / 3);
  await tab.mouse.move(x + dx, y + dy);
  await tab.mouse.up();
};
const before = await state();
await drag(LEFT_WRIST, 40, 25);
const dragged = await state();
await drag(NOSE, -30, 10);
await press("Control+z");
const undone = await state();
await press("Control+z");
const all = await state();
await press("Control+Shift+z");
const redone = await state();
await press("m");
const swapped = await state();
await tab.click("#joints button[aria-label^='right wrist']");
await press("o", "Enter");
await ready(1);
await press("Enter");
await ready(2);
const file = await saved(() => tab.click("#download"));
await tab.close();
return { before, dragged, undone, all, redone, swapped, file };
"""


def fill(script):
    for name in ("LEFT_WRIST", "RIGHT_WRIST", "NOSE"):
        script = script.replace(name, str(globals()[name]))
    return script


def test_dragged_undone_and_swapped_joints_come_back_through_the_reader(page, tmp_path):
    seen = visit(page, TOOLS + fill(CORRECT))
    assert (seen.said, seen.outside) == ([], [])
    value = seen.value
    before, dragged = value["before"], value["dragged"]
    wanted = np.array(before["points"][LEFT_WRIST][:2]) + np.array([40, 25]) / before["scale"]
    np.testing.assert_allclose(dragged["points"][LEFT_WRIST][:2], wanted, atol=0.006)
    assert value["undone"]["points"] == value["redone"]["points"] == dragged["points"]
    assert value["all"]["points"] == before["points"]
    swapped = value["swapped"]["points"]
    assert swapped[RIGHT_WRIST] == dragged["points"][LEFT_WRIST]
    assert swapped[NOSE] == dragged["points"][NOSE]

    assert value["file"]["name"] == "labels.json"
    document = json.loads(value["file"]["text"])
    marks = np.array(document["annotations"][0]["keypoints"]).reshape(K, 3)
    assert [mark["image_id"] for mark in document["annotations"]] == [7, 8]  # those that are done
    assert marks[RIGHT_WRIST].tolist() == [*swapped[RIGHT_WRIST][:2], 1]
    assert marks[LEFT_WRIST, 2] == 2
    (tmp_path / "labels.json").write_text(value["file"]["text"].replace("</script>", ""))
    (labels,) = read_labels(tmp_path / "labels.json")
    np.testing.assert_allclose(labels.times, (np.array(NUMBERS[:2]) - 1) / 30)
    assert (labels.video, labels.size) == ("dive", SIZE)
    expected = np.array([p[:2] for p in swapped], float)
    np.testing.assert_array_equal(labels.xy[0], expected)  # NaN: the toe outside the image


KEYBOARD = """
await press("s", "Shift+ArrowRight", "ArrowRight", "ArrowUp", "s", "s", "w", "x");
const nudged = await state();
await press("Control+z", "Control+z");
const back = await state();
await press("Control+y", "Enter");
await ready(1);
await press("PageDown");
await ready(2);
const box = await tab.locator("#image").boundingBox();
await tab.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
await tab.mouse.click(box.x + box.width / 2 + 50, box.y + box.height / 2);
const clicked = await state();
const told = await tab.textContent("#note");
const other = await tab.context().newPage();
await other.goto(tab.url());
await tab.close();
await other.waitForTimeout(100);
const kept = await other.evaluate(() => {
  const { labels } = window.mocap;
  const text = (id) => document.getElementById(id).textContent;
  const { frames, frame } = labels;
  return { frames, frame, kept: text("kept"), progress: text("progress") };
});
return { nudged, back, clicked, told, kept };
"""


def test_the_keyboard_alone_suffices_and_a_closed_tab_loses_nothing(page):
    seen = visit(page, TOOLS + KEYBOARD)
    assert (seen.said, seen.outside) == ([], [])
    value = seen.value
    x, y, _ = settings_of(page.read_text("utf-8"))["guesses"][0][LEFT_EYE]
    assert value["nudged"]["points"][LEFT_EYE] == [x + 11, y - 1, 1]
    assert value["nudged"]["points"][2][2] == 0  # the right eye: not labelled
    assert value["back"]["points"][LEFT_EYE] == [x, y, 1]  # three presses are one step
    kept = value["kept"]
    assert kept["frames"][0]["done"]
    assert kept["frames"][0]["points"][LEFT_EYE] == [x + 11, y - 1, 1]
    assert kept["frames"][2]["points"] == value["clicked"]["points"]
    places = np.array([p[:2] for p in kept["frames"][2]["points"][:2]])
    np.testing.assert_allclose(places[0], [320, 240], atol=0.5)
    assert places[1, 0] - places[0, 0] == pytest.approx(50 / value["clicked"]["scale"], abs=0.02)
    assert value["told"].startswith("Click the right eye.")  # the third, after two clicks
    assert (kept["frame"], kept["progress"]) == (2, "1 of 3 done")
    assert "closing the tab loses nothing" in kept["kept"]


OPEN = """
const open = async (name, text) => {
  const file = { name, mimeType: "application/json", buffer: Buffer.from(text) };
  await tab.setInputFiles("#file", file);
  for (let k = 0; k < 100 && (await tab.isHidden("#note")); k++) await tab.waitForTimeout(20);
  const said = await tab.textContent("#note");
  await tab.evaluate(() => window.mocap.note(""));
  return said;
};
const damaged = await open("a.json", FILE.slice(0, 100));
const foreign = await open("b.json", FILE.replaceAll("ve_", "vo_"));
const before = await state();
const right = await open("c.json", FILE);
const loaded = await state();
const file = await saved(() => tab.click("#download"));
await press("Control+z");
return { said: [damaged, foreign, right], before, loaded, undone: await state(), file };
"""


def test_a_saved_file_is_opened_again_and_a_damaged_one_changes_nothing(page):
    settings = settings_of(page.read_text("utf-8"))
    flat = [v for i in range(K) for v in (10 + i, 20.25, i % 3)]
    mark = {"id": 1, "image_id": 8, "category_id": 1, "keypoints": flat}
    text = json.dumps({**settings["coco"], "annotations": [mark]})
    value = visit(page, TOOLS + OPEN.replace("FILE", json.dumps(text))).value
    assert value["said"][0].startswith("Cannot read a.json: ")
    assert value["said"][1:] == ["b.json has no labels of these frames", "Read 1 labelled frame"]
    assert (value["before"]["done"], value["loaded"]["done"]) == (0, 1)
    (again,) = json.loads(value["file"]["text"])["annotations"]
    wanted = np.array(flat).reshape(K, 3)
    wanted[wanted[:, 2] == 0] = 0
    np.testing.assert_array_equal(np.reshape(again["keypoints"], (K, 3)), wanted)
    assert value["undone"]["done"] == 0


VIEW = """
const start = await state();
const [x, y] = start.screen[NOSE];
await tab.mouse.move(x, y);
await tab.mouse.wheel(0, -300);
const zoomed = await state();
await tab.keyboard.down(" ");
await tab.mouse.down();
await tab.mouse.move(x + 60, y + 20);
await tab.mouse.up();
await tab.keyboard.up(" ");
const moved = await state();
await press("0");
const whole = await state();
return { start, zoomed, moved, whole };
"""


def test_wheel_zooms_at_the_mouse_and_space_moves_the_image_but_no_joint(page):
    value = visit(page, TOOLS + fill(VIEW)).value
    start, zoomed, moved = (value[name] for name in ("start", "zoomed", "moved"))
    assert zoomed["scale"] > 1.2 * start["scale"]
    np.testing.assert_allclose(zoomed["screen"][NOSE], start["screen"][NOSE], atol=0.5)
    shift = np.subtract(moved["screen"][NOSE], zoomed["screen"][NOSE])
    np.testing.assert_allclose(shift, [60, 20], atol=0.5)
    assert start["points"] == zoomed["points"] == moved["points"]
    assert value["whole"]["scale"] < start["scale"]
