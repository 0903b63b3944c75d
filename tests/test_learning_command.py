"""`mocap pretrain` as a user types it, on two tiny clips and with a tiny model."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from blob import TINY, film_blob
from PIL import Image
from safetensors.torch import load_file

from mocap_cli.errors import MocapError
from mocap_cli.io.lock import only_process
from mocap_cli.learning import options as options_module
from mocap_cli.learning import pretraining, run_folder, tracked_samples
from mocap_cli.learning.data.ingest import RunSources
from mocap_cli.learning.data.random_backgrounds import RandomBackgrounds
from mocap_cli.learning.loop.checkpoint import RunState, read_checkpoint_state
from mocap_cli.learning.loop.losses import LossWeights
from mocap_cli.learning.loop.metrics_log import MetricsLog
from mocap_cli.learning.loop.settings import PRESETS
from mocap_cli.learning.model import backbones
from mocap_cli.learning.model.model_file import open_model
from mocap_cli.learning.options import PretrainOptions
from mocap_cli.learning.pretraining import plan_run


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """Two clips, a broken one, and their frames once they are stored."""
    folder = tmp_path_factory.mktemp("clips")
    for seed in range(2):
        film_blob(folder / f"blob{seed}.mp4", seed, 3)
    (folder / "broken[b].mp4").touch()
    return folder


def use_model(monkeypatch, model) -> None:
    """Give the small preset another model, and a tracker that finds nobody: it takes seconds."""

    def nobody(info, options, on_frame):
        raise MocapError("nobody", "")

    monkeypatch.setattr(tracked_samples, "estimate", nobody)
    small = replace(PRESETS["small"], model=model)
    monkeypatch.setattr(options_module, "PRESETS", {"small": small})


@pytest.fixture
def mocap(run_mocap, monkeypatch, clips):
    """As `run_mocap`, in a folder with videos/ and a tiny model."""
    use_model(monkeypatch, TINY)
    monkeypatch.setattr("mocap_cli.learning.data.filling.worker_count", lambda videos: 1)
    Path("videos").symlink_to(clips)
    return run_mocap


TINILY = "--side 96 --batch 2 --preset small --device cpu --background median --store {store}"


@pytest.fixture
def tinily(clips) -> str:
    return TINILY.format(store=clips / "frames")


def test_a_folder_of_videos_becomes_a_model_with_previews(mocap, tinily):
    code, out, err = mocap(f"pretrain videos -o runs/a --steps 3 {tinily}")
    assert (code, out) == (0, "")
    assert "2 clips, 90 frames" in err
    assert "no steps with the free-fall losses: nobody is tracked in the clips" in err
    assert "broken[b].mp4 left out" in err
    assert "3 steps" in err
    assert "too short to be of use: boxes and masks settle after about 6400 such steps" in err
    assert "--resume --steps 6400" in err
    files = {p.name for p in Path("runs/a").iterdir()}
    assert files == {"best.safetensors", "last.safetensors", "metrics.jsonl", "curves.png",
                     "run.json", "sheets"}  # fmt: skip
    assert len(list(Path("runs/a/sheets").glob("*.png"))) == 2
    model, meta = open_model(Path("runs/a/best.safetensors"))
    assert meta["clips"] == ["blob0.mp4", "blob1.mp4"]
    assert meta["size"] == [96, 64]
    assert model.config == TINY
    settings = read_checkpoint_state(Path("runs/a/last.safetensors"))[0]
    assert settings.weights.far == settings.gaps.far / 2  # D of Eq. 5


def test_ctrl_c_saves_exits_with_130_and_prints_how_to_resume(mocap, tinily, monkeypatch):
    whole = MetricsLog.log_step

    def interrupted(self, told) -> None:
        whole(self, told)
        if told.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    assert mocap(f"pretrain videos -o runs/whole --steps 4 {tinily}")[0] == 0
    with monkeypatch.context() as patched:
        patched.setattr(MetricsLog, "log_step", interrupted)
        code, _, err = mocap(f"pretrain videos -o runs/cut --steps 4 {tinily}")
    assert code == 130
    assert "stopped at step 2 of 4" in err
    assert "mocap pretrain -o runs/cut --resume" in err
    assert read_checkpoint_state(Path("runs/cut/last.safetensors"))[1].step == 2
    assert mocap("pretrain -o runs/cut --resume --device cpu")[0] == 0
    one, other = (load_file(Path(f"runs/{name}/last.safetensors")) for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    steps = [row["step"] for row in MetricsLog.read(Path("runs/cut/metrics.jsonl"))]
    assert steps == [1, 2, 3, 4, 4]  # the last line is the look at held-out frames


def test_a_run_is_never_overwritten_and_a_complete_one_is_reported(mocap, tinily):
    assert mocap(f"pretrain videos -o runs/a --steps 1 {tinily}")[0] == 0
    code, _, err = mocap(f"pretrain videos -o runs/a --steps 1 {tinily}")
    assert code == 1
    assert "already holds a run" in err
    assert "--resume" in err
    code, _, err = mocap("pretrain -o runs/a --resume")
    assert code == 1
    assert "is complete: it has 1 steps" in err
    assert mocap("pretrain -o runs/a --resume --steps 2 --device cpu")[0] == 0
    assert read_checkpoint_state(Path("runs/a/last.safetensors"))[1].step == 2


def test_a_resumed_run_takes_another_rate_and_batch_and_refuses_the_rest(mocap, tinily):
    assert mocap(f"pretrain videos -o runs/a --steps 1 {tinily}")[0] == 0
    resumed = "pretrain -o runs/a --resume --steps 2 --device cpu"
    for kept in ("--seed 5", "--method css", "--store x", "--preset full", "--dry-run", "videos"):
        code, _, err = mocap(f"{resumed} {kept}")
        assert (code, "keeps its own" in " ".join(err.split())) == (2, True), kept
    assert mocap(f"{resumed} --rate 1e-5 --batch 4")[0] == 0
    run = read_checkpoint_state(Path("runs/a/last.safetensors"))[0]
    assert (run.rate, run.batch) == (1e-5, 4)


def test_a_folder_with_foreign_files_is_not_written_into(mocap, tinily):
    for name in (
        "run.json", "metrics.jsonl", "best.safetensors", "curves.png", "subject.npz",
        "backgrounds.npz", "sheets", "sheets/step-0000001.png", ".lock",
    ):  # fmt: skip
        folder = Path(f"of-{name.replace('/', '-')}")
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("mine")
        code, _, err = mocap(f"pretrain videos -o {folder} --steps 1 {tinily}")
        assert (code, (folder / name).read_text()) == (1, "mine"), err
        assert name.split("/")[0] in err
        assert len(list(folder.iterdir())) == 1


def test_a_run_that_was_killed_while_it_kept_its_subject_starts_again(mocap, tinily, monkeypatch):
    typed = f"pretrain videos -o runs/a --steps 1 --random-backgrounds photos {tinily}"
    Path("photos").mkdir()
    Image.new("RGB", (96, 64)).save("photos/a.png")

    def killed(self, folder) -> None:
        raise KeyboardInterrupt

    for part in (RandomBackgrounds, RunSources):
        with monkeypatch.context() as patch:
            patch.setattr(part, "write", killed)
            assert mocap(typed)[0] == 130
        Path("runs/a/.lock").write_text("process 1 on another")
    assert mocap(typed)[0] == 0


def test_a_run_that_was_killed_at_its_first_checkpoint_is_resumed_from_its_start(
    mocap, tinily, monkeypatch
):
    assert mocap(f"pretrain videos -o runs/whole --steps 2 {tinily}")[0] == 0
    save, saved = RunState.save, []

    def killed(state, *rest) -> None:
        if state.step:
            raise KeyboardInterrupt  # after best.safetensors, before last.safetensors
        saved.append(save(state, *rest))

    with monkeypatch.context() as patch:
        patch.setattr(RunState, "save", killed)
        assert mocap(f"pretrain videos -o runs/cut --steps 2 {tinily}")[0] == 130
    assert Path("runs/cut/best.safetensors").exists()
    assert mocap("pretrain -o runs/cut --resume --device cpu")[0] == 0
    for name in ("last", "best"):
        one, other = (load_file(f"runs/{run}/{name}.safetensors") for run in ("whole", "cut"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_two_processes_never_write_to_one_run(mocap, tinily):
    with only_process(Path("runs/a") / run_folder.LOCK):
        code, _, err = mocap(f"pretrain videos -o runs/a --steps 1 {tinily}")
    assert (code, f"process {os.getpid()} on" in err) == (1, True)
    assert "writes to runs/a" in " ".join(err.split())
    assert mocap(f"pretrain videos -o runs/a --steps 1 {tinily}")[0] == 0
    with only_process(Path("runs/a") / run_folder.LOCK):
        code, _, err = mocap("pretrain -o runs/a --resume --steps 2 --device cpu")
    assert (code, f"process {os.getpid()} on" in err) == (1, True)
    assert "writes to runs/a" in " ".join(err.split())


def test_a_dry_run_prints_the_plan_and_writes_nothing(mocap, tinily):
    code, out, err = mocap(f"pretrain videos -o runs/a --steps 1000 --dry-run -q {tinily}")
    assert (code, err) == (0, "")
    told = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert told["clips"].startswith("2,")
    assert told["frames"].startswith("about 90 of 96x64")
    assert told["method"].startswith("ours: 1000 steps of 2 items")
    assert "steps/s" in told["time"]
    assert told["night"].startswith("8 hours buy")
    assert "settle after about 6400 such steps" in told["too"]
    assert float(told["memory"].removesuffix(" GB")) > 0.1
    assert told["falls"].startswith("no steps with the free-fall losses")
    assert told["poses"].startswith("nobody is seen")
    assert "broken[b].mp4" in told["left"]
    assert not Path("runs").exists()


def test_a_dry_run_of_the_full_size_without_the_internet_plans_the_bundled_networks(
    mocap, tinily, monkeypatch
):
    """As the run itself does: the ResNets' weights cannot be fetched."""
    full = replace(PRESETS["full"], model=replace(TINY, detector="resnet18", encoder="resnet50"))
    monkeypatch.setattr(options_module, "PRESETS", {"full": full})

    def unreachable(models, name):
        raise MocapError(f"cannot fetch {name}", "")

    monkeypatch.setattr(backbones, "_imagenet_weights", unreachable)
    typed = tinily.replace("--preset small", "--preset full")
    code, out, err = mocap(f"pretrain videos -o runs/a --dry-run {typed}")
    assert (code, err) == (0, "")
    assert "networks   lite0 encodes, lite0 detects" in out


def test_a_dry_run_reports_what_it_is_doing_while_it_computes(clips, monkeypatch):
    use_model(monkeypatch, TINY)
    seen = []
    options = PretrainOptions(preset="small", side=96, batch=2)
    text = plan_run([clips / "blob0.mp4"], options, "cpu", seen.append)
    assert text.startswith("clips      1,")
    assert seen[0] == "probing 1 videos"
    assert "timing a training step on cpu, 4 of 4" in seen
    assert seen[-1] == "tracking a part of blob0.mp4"
    assert len(seen) == len(set(seen)) == 8


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("pretrain", 2, "give videos"),
        ("pretrain nothing.mp4", 1, "does not exist"),
        ("pretrain videos --near 2 --far 1", 2, "not below"),
        ("pretrain videos --method nsd --tv 10", 1, "pass --tv 9"),
        ("pretrain videos --similarity half", 2, "not one of"),
        ("pretrain videos --boxes tracker --fall-steps 5", 1, "train a detector"),
        ("pretrain videos --keypoints nothing.json", 1, "there is no nothing.json"),
        ("pretrain videos --method imagenet-2d", 1, "from 2D labels alone"),
        ("pretrain videos --method best", 1, "unknown method 'best'"),
        ("pretrain videos --method css --fall-steps 5", 1, "no detector"),
    ],
)
def test_bad_requests_fail_before_the_work(mocap, tinily, typed, code, said):
    left, _, err = mocap(f"{typed} --preset small --device cpu")
    assert left == code
    assert said in " ".join(err.split())


def test_sizes_and_the_contrastive_loss_are_options(mocap, tinily):
    sizes = "--tv 12 --ti 5 --encoder lite0"
    loss = "--similarity plain --dsl-distance 0.7 --contrast-weight 0.4"
    assert mocap(f"pretrain videos -o runs/a --steps 1 {sizes} {loss} {tinily}")[0] == 0
    assert open_model(Path("runs/a/best.safetensors"))[0].config == replace(TINY, tv=12, ti=5)
    weights = read_checkpoint_state(Path("runs/a/last.safetensors"))[0].weights
    assert (weights.similarity, weights.far, weights.contrast) == ("plain", 0.7, 0.4)


def test_an_encoder_that_was_asked_for_is_not_replaced(mocap, tinily, monkeypatch):
    def unreachable(models, name):
        raise MocapError(f"cannot fetch {name}", "connect")

    monkeypatch.setattr(backbones, "_imagenet_weights", unreachable)
    code, _, err = mocap(f"pretrain videos -o runs/a --encoder resnet101 --steps 1 {tinily}")
    assert (code, "cannot fetch resnet101" in err) == (1, True)


def test_a_run_of_an_older_form_of_a_method_is_not_resumed(mocap, tinily, monkeypatch):
    monkeypatch.setattr(options_module, "VERSION", 1)
    for method in ("drnet", "ours"):
        typed = f"pretrain videos -o runs/{method} --steps 1 --method {method} {tinily}"
        assert mocap(typed)[0] == 0
    resumed = "--resume --steps 2 --device cpu"
    code, _, err = mocap(f"pretrain -o runs/drnet {resumed}")
    assert (code, "drnet has changed since" in " ".join(err.split())) == (1, True)
    assert mocap(f"pretrain -o runs/ours {resumed}")[0] == 0


def test_a_missing_run_cannot_be_resumed(mocap):
    code, _, err = mocap("pretrain -o nowhere --resume")
    assert (code, "there is no nowhere/last.safetensors" in err) == (1, True)


def test_another_method_is_chosen_by_name(mocap, tinily):
    assert mocap(f"pretrain videos -o runs/css --method css --steps 2 {tinily}")[0] == 0
    row = MetricsLog.read(Path("runs/css/metrics.jsonl"))[0]
    assert "contrast" in row
    assert "pixels" not in row
    assert open_model(Path("runs/css/best.safetensors"))[0].config == replace(TINY, method="css")


def test_nsd_trains_on_two_cameras_and_ignores_clips_of_one(mocap, tinily, clips, monkeypatch):
    use_model(monkeypatch, replace(TINY, tv=18))  # points in space
    Path("pair").mkdir()
    for name in ("jump.cam0", "jump.cam1", "alone"):
        Path(f"pair/{name}.mp4").symlink_to(clips / "blob0.mp4")
    typed = f"pretrain pair --method nsd --steps 2 {tinily}"
    code, _, err = mocap(f"{typed} -o runs/blind")
    assert (code, "needs the rotations of the cameras" in err) == (1, True)
    turns = {"0": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "1": [[0, 0, -1], [0, 1, 0], [1, 0, 0]]}
    Path("pair/cameras.json").write_text(json.dumps(turns))
    assert mocap(f"{typed} -o runs/nsd")[0] == 0
    assert open_model(Path("runs/nsd/best.safetensors"))[0].config.method == "nsd"


def test_imagenet_features_are_saved_as_a_model_without_training(mocap, tinily):
    code, _, err = mocap(f"pretrain videos -o runs/i --method imagenet {tinily}")
    assert code == 0, err
    model, meta = open_model(Path("runs/i/best.safetensors"))
    assert meta["step"] == 0
    frames = torch.zeros(2, 3, 64, 96, dtype=torch.uint8)
    assert model.encode(frames)[0].shape == (2, 112 * 2 * 2)  # Lite0 at a sixteenth of 32 pixels


def test_tensorboard_gets_the_metrics_only_on_request_and_resumes_at_its_step(
    mocap, tinily, monkeypatch
):
    board = Board()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    assert mocap(f"pretrain videos -o runs/a --steps 1 {tinily}")[0] == 0
    assert board.told == []
    resumed = "pretrain -o runs/a --resume --device cpu"
    assert mocap(f"{resumed} --steps 3 --tensorboard")[0] == 0
    rows = [row for row in MetricsLog.read(Path("runs/a/metrics.jsonl")) if row["step"] > 1]
    assert set(board.told) == {(n, row["step"]) for row in rows for n in row if n != "step"}
    assert ("pixels", 3) in board.told
    assert board.purged == 2
    assert board.closed


def test_a_run_without_tensorboard_is_refused_before_the_work(mocap, tinily, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setattr(pretraining, "ingest", None)
    for typed in (f"videos --steps 1 {tinily}", "--resume --steps 4"):
        code, _, err = mocap(f"pretrain {typed} -o runs/a --tensorboard")
        assert (code, "TensorBoard is not installed" in err) == (1, True)
    assert not Path("runs").exists()


class Board(ModuleType):
    """Stands for TensorBoard, which need not be installed."""

    def __init__(self) -> None:
        super().__init__("torch.utils.tensorboard")
        self.told: list[tuple[str, int]] = []
        self.purged: int | None = None
        self.closed = False

    def SummaryWriter(self, folder: str, purge_step: int | None) -> "Board":  # noqa: N802
        assert folder == "runs/a"
        self.purged = purge_step
        return self

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.told.append((name, step))

    def close(self) -> None:
        self.closed = True


def test_free_fall_losses_weigh_as_in_the_paper_but_more_in_the_small_size(mocap, tinily):
    assert PRESETS["full"].weights.track == LossWeights().track == 1
    assert mocap(f"pretrain videos -o runs/a --steps 1 --fall-steps 1 {tinily}")[0] == 0
    assert (
        read_checkpoint_state(Path("runs/a/last.safetensors"))[0].weights.track
        == PRESETS["small"].weights.track
        > 1
    )


def test_several_processes_must_share_a_batch_evenly(mocap, tinily, monkeypatch):
    from contextlib import nullcontext

    from mocap_cli.learning.loop.distributed import Distributed

    monkeypatch.setattr(Distributed, "join", lambda device: nullcontext(Distributed(0, 3, "cpu")))
    code, _, err = mocap(f"pretrain videos -o runs/a --steps 1 --fall-steps 0 {tinily}")
    assert code == 1
    assert "3 processes cannot share a batch of 2" in err
    assert "--batch 3" in err


def test_a_run_prints_its_outcome_as_json(mocap, tinily):
    code, out, err = mocap(f"pretrain videos -o runs/a --steps 2 {tinily} --json -q")
    assert (code, err) == (0, "")
    result = json.loads(out)["results"][0]
    assert (result["step"], result["finished"]) == (2, True)
    assert result["model"] == "runs/a/best.safetensors"


def test_python_trains_a_model_reports_its_steps_and_resumes(mocap, clips):
    import mocap_cli

    calls = []
    model = mocap_cli.pretrain(
        "videos", "runs/a", steps=2, side=96, batch=2, preset="small", device="cpu",
        background="median", store=clips / "frames", progress=lambda *call: calls.append(call),
    )  # fmt: skip
    assert model == Path("runs/a/best.safetensors")
    assert ("training", 2, 2) in calls
    assert mocap_cli.pretrain([], "runs/a", resume=True, steps=3, device="cpu") == model
    assert read_checkpoint_state(Path("runs/a/last.safetensors"))[1].step == 3
