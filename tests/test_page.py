"""The page: what stands in the file, and what real Chromium makes of it, opened from file://."""

import base64
import gzip
import json
import re
import signal
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import film as reels
import numpy as np
import pytest
from chromium import end, visit
from film import film
from person import standing
from poses import dance, motion_of, wobbling

from mocap_cli.body.motion_json import read_motion
from mocap_cli.body.recording import Source
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.animation import animate
from mocap_cli.export.formats.bvh import write_bvh
from mocap_cli.export.formats.joint_tables import write_csv
from mocap_cli.export.views.browser_video import browser_video
from mocap_cli.export.views.page import write_page
from mocap_cli.video.reader import open_video, probe

TIMES = np.arange(30) / 30
NASTY = """</script><img src=x onerror=alert(1)> "{{script}}" & '.mp4"""


class Elements(HTMLParser):
    """Every element of a page: (name, attributes, text inside)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[list] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.found:
            self.found[-1][2] += data


def carried(page: Path) -> dict[str, bytes]:
    """The files inside a page, by the ids of their elements."""
    found = Elements(page.read_text("utf-8")).found
    files = {
        a["id"]: base64.b64decode(text)
        for _, a, text in found
        if a.get("type", "").endswith("octet-stream")
    }
    return {name: gzip.decompress(f) if f[:2] == b"\x1f\x8b" else f for name, f in files.items()}


@pytest.fixture
def filmed(tmp_path):
    """Somebody who stands in a film whose frames bear their numbers, from its tenth frame on."""
    video = film(tmp_path / "v.mp4", range(40), size=(320, 240), sound_seconds=1)
    return standing(probe(video), np.arange(10, 40) / 30), video


def test_the_page_carries_what_export_writes_in_fewer_digits(tmp_path, filmed):
    motion, video = filmed
    write_page(motion, tmp_path / "a.html", video)
    files = carried(tmp_path / "a.html")
    assert files["video-file"] == video.read_bytes()
    (tmp_path / "a.json").write_bytes(files["json-file"])
    page = read_motion(tmp_path / "a.json")
    np.testing.assert_allclose(page.joints, motion.joints, atol=5.1e-5)
    np.testing.assert_allclose(page.xy, motion.xy, atol=0.051)
    write_bvh(animate(motion), tmp_path / "a.bvh", decimals=3)
    assert files["bvh-file"] == (tmp_path / "a.bvh").read_bytes()


def test_without_its_video_a_minute_takes_less_than_two_megabytes(tmp_path):
    """Each number is noisier than a tracked one."""
    rng = np.random.default_rng(1)
    times = np.arange(1800) / 30
    motion = motion_of(wobbling(dance(times), size=0.005), times)
    noisy = replace(
        motion,
        sigma=rng.uniform(0.01, 0.2, motion.sigma.shape).astype(np.float32),
        contacts=rng.uniform(size=motion.contacts.shape).astype(np.float32),
        xy=rng.uniform(0, 1900, motion.xy.shape).astype(np.float32),
        score=rng.uniform(size=motion.score.shape).astype(np.float32),
    )
    write_page(noisy, tmp_path / "a.html")
    assert (tmp_path / "a.html").stat().st_size < 2e6


def test_no_name_can_break_out_of_its_place(tmp_path):
    source = Source(file=NASTY, fps=30.0, width=64, height=48, frames=30, rotation=0)
    motion = motion_of(dance(TIMES), TIMES, source=source, warnings=(NASTY,))
    write_page(motion, tmp_path / "a.html")
    elements = Elements((tmp_path / "a.html").read_text("utf-8")).found
    assert not [e for e in elements if e[0] == "img"]
    (title,) = [text for tag, _, text in elements if tag == "title"]
    assert title.strip() == NASTY
    seen = visit(tmp_path / "a.html", """
        return tab.evaluate(() => ({
          name: document.getElementById('name').textContent,
          warned: document.querySelector('#warnings li').textContent,
          pictures: document.querySelectorAll('img').length,
        }));""")  # fmt: skip
    assert seen.value == {"name": NASTY, "warned": NASTY, "pictures": 0}
    assert (seen.said, seen.outside) == ([], [])


def test_the_page_may_only_run_what_it_was_written_with(tmp_path):
    write_page(motion_of(dance(TIMES), TIMES), tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    (tmp_path / "a.html").write_text(
        page.replace("</body>", "<script>window.evil = 1</script></body>")
    )
    seen = visit(tmp_path / "a.html", "return tab.evaluate(() => window.evil ?? null)")
    assert seen.value is None
    assert "Content Security Policy" in seen.said[0]


READ_NUMBER = """
  const video = document.getElementById('video');
  const number = () => {
    const paper = document.createElement('canvas');
    [paper.width, paper.height] = [video.videoWidth, video.videoHeight];
    const pen = paper.getContext('2d', {willReadFrequently: true});
    pen.drawImage(video, 0, 0);
    let found = 0;
    for (let row = 0; row < ROWS; row++) for (let column = 0; column < COLUMNS; column++) {
      const x = Math.floor((column + 0.5) * paper.width / COLUMNS);
      const y = Math.floor((row + 0.5) * paper.height / ROWS);
      const [r, g, b] = pen.getImageData(x, y, 1, 1).data;
      found = 2 * found + ((r + g + b) / 3 > MIDDLE ? 1 : 0);
    }
    return found;
  };
  const clock = window.mocap.clock;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const settled = async () => {
    do await wait(30); while (video.seeking || clock.wanted !== null);
    for (let k = 0; k < 2; k++) await new Promise((done) => requestAnimationFrame(done));
  };
  while (!clock.video) await wait(20);
  await settled();
"""
for _word, _value in (("ROWS", reels.ROWS), ("COLUMNS", reels.COLUMNS)):
    READ_NUMBER = READ_NUMBER.replace(_word, str(_value))
READ_NUMBER = READ_NUMBER.replace("MIDDLE", str((reels.DARK + reels.BRIGHT) / 2))

STEP_AND_PLAY = """return tab.evaluate(async () => {READ
  const stepped = [];
  for (const frame of [0, 1, 2, 13, 12, 29, 5]) {
    clock.show(frame);
    await settled();
    stepped.push([frame, number()]);
  }
  clock.show(0);
  await settled();
  const played = [];
  const onFrame = clock.onFrame;
  clock.loop = false;
  clock.onFrame = (frame) => {
    onFrame(frame);
    if (clock.playing) played.push([frame, number()]);
  };
  clock.setRate(0.5);
  clock.play();
  while (clock.playing) await wait(20);
  return {stepped, played, end: clock.frame};
})""".replace("READ", READ_NUMBER)


@pytest.mark.parametrize(
    "reel",
    [
        {},
        {"stamps": range(5, 45)},  # a video that begins late
        {"stamps": np.cumsum([1, 1, 2, 1, 1, 3, 1, 1] * 5).tolist()},  # of uneven rate
        {"codec": "mjpeg", "pix_fmt": "yuvj420p", "name": "v.mov"},  # that browsers do not play
    ],
    ids=["plain", "late", "uneven", "re-encoded"],
)
def test_skeleton_and_video_show_the_same_frame_stepping_and_playing(tmp_path, reel):
    reel = {"stamps": range(40), "size": (320, 240), **reel}
    video = film(tmp_path / reel.pop("name", "v.mp4"), **reel)
    with open_video(video) as frames:
        times = np.array([frame.time for frame in frames])
    write_page(standing(probe(video), times[10:]), tmp_path / "a.html", video)
    seen = visit(tmp_path / "a.html", STEP_AND_PLAY)
    assert [shown - frame for frame, shown in seen.value["stepped"]] == [10] * 7
    ahead = [shown - frame - 10 for frame, shown in seen.value["played"]]
    # The video may move on between its news of a frame and our look at it; never the skeleton.
    assert len(ahead) > 5
    assert np.mean(np.array(ahead) == 0) > 0.5
    assert min(ahead) >= 0
    assert seen.value["end"] == 29
    assert (seen.said, seen.outside) == ([], [])


PLAYER_AT_7 = f"""return tab.evaluate(async () => {{{READ_NUMBER}
  clock.show(7);
  await settled();
  return video.readyState >= 2 && video.currentTime;
}})"""


def test_a_linked_video_plays_and_makes_the_page_small(tmp_path, filmed):
    motion, video = filmed
    (tmp_path / "pages").mkdir()
    video.rename(tmp_path / "my dive #1.mp4")
    page = tmp_path / "pages" / "a.html"
    write_page(motion, page, tmp_path / "my dive #1.mp4", link=True)
    assert "video-file" not in carried(page)
    # Pictures of other files may not be read back, so the player's clock has to do.
    seen = visit(page, PLAYER_AT_7)
    assert 17 / 30 < seen.value < 18 / 30
    assert seen.said == []
    assert [url.rpartition("/")[2] for url in seen.outside] == ["my%20dive%20%231.mp4"]
    beside = (tmp_path / "my dive #1.mp4").rename(tmp_path / "pages" / "my dive #1.mp4")
    moved = visit(page, f"await tab.waitForFunction(() => window.mocap.clock.video);{PLAYER_AT_7}")
    assert 17 / 30 < moved.value < 18 / 30
    beside.unlink()
    gone = visit(page, "await tab.waitForTimeout(500); return tab.locator('#note').textContent()")
    assert gone.value == "cannot play ../my dive #1.mp4"


def test_a_video_that_lasts_much_longer_than_the_motion_is_cut_to_it(tmp_path):
    video = film(tmp_path / "v.mp4", range(300))
    motion = standing(probe(video), np.arange(200, 220) / 30)
    told: list[int] = []
    film_of = browser_video(motion, video, tmp_path / "a.html", link=False, on_frame=told.append)
    assert film_of.offset == pytest.approx(200 / 30)
    assert told == list(range(1, 21))
    (tmp_path / "part.mp4").write_bytes(base64.b64decode(film_of.data))
    assert probe(tmp_path / "part.mp4").frames == 20


def test_what_browsers_do_not_play_cannot_be_linked(tmp_path):
    video = film(tmp_path / "v.mov", range(30), codec="mjpeg", pix_fmt="yuvj420p")
    with pytest.raises(MocapError, match="browsers do not play") as caught:
        write_page(standing(probe(video), TIMES), tmp_path / "a.html", video, link=True)
    assert "--link-video" in caught.value.hint
    assert not (tmp_path / "a.html").exists()


DOWNLOADS = """
  const files = [];
  for (const label of ['JSON', 'BVH', 'Angles', 'CSV']) {
    files.push(await saved(() => tab.locator('#downloads button', {hasText: label}).click()));
  }
  return files;
"""


def test_the_downloads_are_the_files_of_export(tmp_path):
    joints = dance(TIMES)
    joints[3] = np.nan
    motion = motion_of(joints, TIMES)
    write_page(motion, tmp_path / "a.html")
    seen = visit(tmp_path / "a.html", DOWNLOADS)
    files = {file["name"]: file["text"] for file in seen.value}
    assert list(files) == ["a.json", "a.bvh", "a.angles.csv", "a.csv"]
    assert files["a.json"].encode() == carried(tmp_path / "a.html")["json-file"]
    assert files["a.angles.csv"].startswith("time,trunk_inclination,")
    (tmp_path / "a.json").write_text(files["a.json"])
    write_csv(read_motion(tmp_path / "a.json"), tmp_path / "a.csv")
    assert files["a.csv"] == (tmp_path / "a.csv").read_text()


KEYS = """
  const state = () => tab.evaluate(() => {
    const {clock, scene} = window.mocap;
    return {frame: clock.frame, rate: clock.rate, yaw: scene.orbit.yaw, playing: clock.playing,
            theme: document.documentElement.dataset.theme};
  });
  const states = [await state()];
  for (const key of KEYS) { await tab.keyboard.press(key); states.push(await state()); }
  return states;
"""


def states_after(page: Path, keys: list[str]) -> list[dict]:
    """The state of the page before and after each key."""
    return visit(page, KEYS.replace("KEYS", json.dumps(keys), 1)).value


def test_keys_step_change_the_speed_the_view_and_the_theme(tmp_path):
    write_page(motion_of(dance(TIMES), TIMES), tmp_path / "a.html")
    keys = ["ArrowRight", "Shift+ArrowRight", "ArrowLeft", "End", "Home", "[", "[", "]", "3", "t"]
    states = states_after(tmp_path / "a.html", keys)
    assert [s["frame"] for s in states[:6]] == [0, 1, 11, 10, 29, 0]
    assert [s["rate"] for s in states[5:9]] == [1, 0.5, 0.25, 0.5]
    assert states[9]["yaw"] != states[8]["yaw"]
    assert [s["theme"] for s in states[-2:]] == ["dark", "light"]
    (space,) = states_after(tmp_path / "a.html", [" "])[1:]
    assert space["playing"]


ORBIT = """
  const box = await tab.locator('#scene').boundingBox();
  const at = [box.x + box.width / 2, box.y + box.height / 2];
  const look = () => tab.evaluate(() => ({...window.mocap.scene.orbit, canvas: null}));
  const before = await look();
  await tab.mouse.move(...at);
  await tab.mouse.down();
  await tab.mouse.move(at[0] + 60, at[1] + 20, {steps: 3});
  await tab.mouse.up();
  const turned = await look();
  await tab.mouse.wheel(0, 300);
  await tab.waitForTimeout(100);
  const zoomed = await look();
  const plot = await tab.locator('.plot canvas').first().boundingBox();
  await tab.mouse.click(plot.x + plot.width - 9, plot.y + 40);
  const last = await tab.evaluate(() => window.mocap.clock.frame);
  return {before, turned, zoomed, last};
"""


def test_the_mouse_turns_and_zooms_and_a_plot_leads_to_its_frame(tmp_path):
    write_page(motion_of(dance(TIMES), TIMES), tmp_path / "a.html")
    value = visit(tmp_path / "a.html", ORBIT).value
    assert value["turned"]["yaw"] < value["before"]["yaw"]
    assert value["turned"]["pitch"] > value["before"]["pitch"]
    assert value["zoomed"]["distance"] > value["turned"]["distance"]
    assert value["last"] == 29


WHERE = """return tab.evaluate(() => {
  const {scene, motion} = window.mocap;
  scene.look('camera');
  const lens = scene.orbit.lens(800, 600);
  return Object.fromEntries(motion.names.map((name, joint) => [name, lens([0, 1, 2].map(
    (axis) => motion.joints[joint * 3 + axis]))]));
})"""


def test_the_view_as_filmed_shows_the_person_upright_with_left_on_the_cameras_right(
    tmp_path, filmed
):
    motion, _ = filmed
    write_page(motion, tmp_path / "a.html")
    places = visit(tmp_path / "a.html", WHERE).value
    assert places["head"][1] < places["pelvis"][1] < places["left_toe"][1]
    assert places["left_shoulder"][0] > places["neck"][0] > places["right_shoulder"][0]


@pytest.mark.parametrize(("size", "scheme"), [("1280x860", "dark"), ("360x640", "light")])
def test_the_page_fits_its_window_and_says_nothing_on_the_console(tmp_path, filmed, size, scheme):
    motion, video = filmed
    write_page(motion, tmp_path / "a.html", video)
    seen = visit(tmp_path / "a.html", """
        await tab.waitForTimeout(300);
        return tab.evaluate(() => ({
          wide: document.documentElement.scrollWidth - innerWidth,
          theme: document.documentElement.dataset.theme,
          painted: [...document.querySelectorAll('canvas')].map((c) =>
            c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(Boolean)),
        }));""", size, scheme)  # fmt: skip
    assert seen.value["wide"] <= 0
    assert seen.value["theme"] == scheme
    assert all(seen.value["painted"])
    assert (seen.said, seen.outside) == ([], [])


@pytest.mark.parametrize("frames", [1, 5])
def test_nobody_and_a_single_frame_make_a_page_too(tmp_path, frames):
    joints = dance(TIMES)[:frames] * (np.nan if frames > 1 else 1)
    write_page(motion_of(joints, TIMES[:frames]), tmp_path / "a.html")
    seen = visit(tmp_path / "a.html", "return tab.locator('#time').textContent()")
    assert f"frame 1 of {frames}" in seen.value
    assert seen.said == []


def test_a_page_of_two_people_shows_both_their_faults_at_their_times_and_their_key_poses(
    tmp_path, filmed
):
    motion, video = filmed
    beside = replace(motion, joints=motion.joints + np.float32(0.7), switches=(0.5, 1.0))
    write_page(motion, tmp_path / "a.html", video, [beside], link=True)
    video.rename(tmp_path / "moved.mp4")
    moved = json.dumps(str(tmp_path / "moved.mp4"))
    seen = visit(tmp_path / "a.html", f"""
        await tab.waitForSelector('#find:not([hidden])');
        await tab.setInputFiles('#found', {moved});
        await tab.waitForFunction(() => window.mocap.clock.video);
        const before = await tab.textContent('#verdict');
        await tab.keyboard.press('p');
        const [box, spots] = await tab.evaluate(() => [
          document.getElementById('timeline').getBoundingClientRect().toJSON(),
          window.mocap.timeline.marks.map(({{ time }}) => window.mocap.timeline.x(time)),
        ]);
        await tab.mouse.click(box.x + spots[1] + 3, box.y + 4);
        return tab.evaluate((before) => ({{
          verdicts: [before, document.getElementById('verdict').textContent],
          time: window.mocap.motion.times[window.mocap.clock.frame],
          stills: document.querySelectorAll('#stills canvas').length,
          saved: [...document.querySelectorAll('#downloads button')].map((b) => b.title),
          drawn: window.mocap.film.motions.length,
        }}), before);""")  # fmt: skip
    assert seen.value["verdicts"] == ["good", "needs review"]
    assert seen.value["time"] == pytest.approx(1.0, abs=0.01)
    assert seen.value["stills"] == 7
    assert "Save v.2.json" in seen.value["saved"]
    assert seen.value["drawn"] == 2


def test_a_browser_that_does_not_close_is_ended_without_an_error():
    pipe = subprocess.PIPE
    deaf = subprocess.Popen(["sleep", "60"], stdin=pipe, stdout=pipe, text=True)
    end(deaf, patience=0.1)
    assert deaf.returncode == -signal.SIGTERM
