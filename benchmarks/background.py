"""Measure backgrounds on examples/ski.mp4 and walk.mp4, whose cameras and backgrounds are known.

python benchmarks/background.py

The camera against SIFT matched on every pair of frames, as the paper does it, and against OpenCV's
stitcher on the same key frames; the background against the true one.
"""

import json
import resource
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.camera.key_frames import KeyFrameMatcher
from mocap_cli.camera.path_estimation import solve_camera_path
from mocap_cli.plates.background import Background
from mocap_cli.plates.builder import BackgroundOptions, make_background
from mocap_cli.plates.person_mask import PersonMasker
from mocap_cli.video.reader import open_video
from mocap_cli.video.shots import CutDetector

Float64 = NDArray[np.float64]
EXAMPLES = Path(__file__).parents[1] / "examples"
CLIP = EXAMPLES / "ski.mp4"
STITCHED = 12  # pictures that the stitcher gets


def chained_sift() -> Float64:
    """(T, 3, 3) from each frame to the first, each matched to the one before."""
    sift, matcher = cv2.SIFT.create(2000), cv2.BFMatcher()
    chain = [np.eye(3)]
    before = None
    with open_video(CLIP) as video:
        for frame in video:
            marks, words = sift.detectAndCompute(
                cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), None
            )
            points = np.array([mark.pt for mark in marks]) + 0.5
            if before is not None:
                pairs = matcher.knnMatch(words, before[1], k=2)
                kept = [a for a, b in pairs if a.distance < 0.75 * b.distance]
                here = points[[m.queryIdx for m in kept]]
                there = before[0][[m.trainIdx for m in kept]]
                step, _ = cv2.findHomography(here, there, cv2.USAC_MAGSAC, 1.0, maxIters=500)
                chain.append(chain[-1] @ step)
            before = points, words
    return np.stack(chain)


def corner_errors(first_from_frame: Float64) -> Float64:
    """(T,) pixels by which a frame's corners are off, on average, seen in that frame."""
    document = json.loads((EXAMPLES / "ski.camera.json").read_text())
    truth = np.array(document["first_from_frame"]).reshape(-1, 3, 3)
    with open_video(CLIP) as video:
        width, height = video.info.width, video.info.height
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1.0]])
    back = corners @ (np.linalg.inv(truth) @ first_from_frame).transpose(0, 2, 1)
    apart = back[..., :2] / back[..., 2:] - corners[:, :2]
    return np.asarray(np.linalg.norm(apart, axis=-1).mean(axis=1))


def stitched() -> str:
    """What OpenCV's stitcher makes of some of the frames."""
    with open_video(CLIP) as video:
        frames = [f.image[..., ::-1].copy() for f in video if f.index < 200 and f.index % 16 == 0]
    began = time.perf_counter()
    status, picture = cv2.Stitcher.create(cv2.Stitcher_PANORAMA).stitch(frames[:STITCHED])
    seconds = time.perf_counter() - began
    made = f"{picture.shape[1]}x{picture.shape[0]}" if status == 0 else f"failed ({status})"
    return f"{made} from {STITCHED} frames in {seconds:.1f} s, {seconds / STITCHED:.2f} s a frame"


def decibels(clip: Path, background: Background, every: int) -> float:
    """PSNR over the pixels that the subject ever covers."""
    errors, still = 0.0, None
    count = 0
    with open_video(clip.with_suffix(".clean.mp4")) as clean, open_video(clip) as video:
        truths = iter(clean)
        for frame in video:
            if frame.index % every:
                continue
            still = next(truths, still)
            truth, (image, known) = still.image, background.at(frame.time)
            apart = np.abs(frame.image.astype(int) - truth).max(axis=-1).astype(np.uint8)
            person = cv2.dilate((apart > 40).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
            errors += float(((image.astype(float) - truth)[person & known] ** 2).sum())
            count += 3 * int((person & known).sum())
    return 10 * float(np.log10(255**2 * count / errors))


def main() -> None:
    """Print the tables."""
    began = time.perf_counter()
    matcher, cuts = KeyFrameMatcher(PersonMasker()), CutDetector()
    with open_video(CLIP) as video:
        for frame in video:
            matcher.add(frame.image, frame.time, cuts.is_cut(frame.image))
    path = solve_camera_path(matcher.matches)
    ours_seconds = time.perf_counter() - began
    ours = corner_errors(np.stack([path.homography(i, 0) for i in range(len(path.times))]))
    began = time.perf_counter()
    chain = chained_sift()
    sift_seconds = time.perf_counter() - began
    theirs = corner_errors(chain)
    print("| camera | seconds | corner error, median | 95 % | last frame |\n|---|---|---|---|---|")
    rows = (("mocap", ours, ours_seconds), ("SIFT on every pair", theirs, sift_seconds))
    for name, error, seconds in rows:
        low, high = np.percentile(error, (50, 95))
        print(f"| {name} | {seconds:.1f} | {low:.2f} px | {high:.2f} px | {error[-1]:.2f} px |")
    print("cv2.Stitcher:", stitched())
    began = time.perf_counter()
    background = make_background(CLIP, BackgroundOptions())
    print(f"background of {CLIP.name} in {time.perf_counter() - began:.1f} s")
    every = json.loads((EXAMPLES / "ski.camera.json").read_text())["clean_every"]
    print(f"panned, where the skier is: {decibels(CLIP, background, every):.1f} dB PSNR")
    walk = EXAMPLES / "walk.mp4"
    still = decibels(walk, make_background(walk, BackgroundOptions()), 1)
    print(f"still, where the walker is: {still:.1f} dB PSNR")
    for size in ((128, 72), (960, 540), (1280, 720), (1920, 1080)):
        times = []
        for moment in np.linspace(0, 9, 30):
            began = time.perf_counter()
            background.at(float(moment), size)
            times.append(time.perf_counter() - began)
        usual, best = 1000 * np.median(times), 1000 * min(times)
        print(f"at() {size[0]}x{size[1]}: {usual:.1f} ms, best {best:.1f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
