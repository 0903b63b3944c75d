/* The labels: points of every frame, what is done, undo and redo, and the COCO file. */

const ABSENT = 0, OCCLUDED = 1, VISIBLE = 2; // COCO's visibility
const UNDO_STEPS = 500;

const rounded = (value) => Math.round(value * 100) / 100;

class Labelling {
  constructor({ coco, guesses, mirror }, onChange) {
    this.coco = coco;
    this.images = coco.images;
    this.names = coco.categories[0].keypoints;
    this.guesses = guesses;
    this.mirror = mirror;
    this.onChange = onChange;
    this.frames = guesses.map((points) => ({ points: structuredClone(points), done: false }));
    this.past = [];
    this.future = [];
    this.frame = 0;
    this.joint = 0;
  }

  get points() {
    return this.frames[this.frame].points;
  }

  get point() {
    return this.points[this.joint];
  }

  get done() {
    return this.frames.filter((frame) => frame.done).length;
  }

  /* Edit the current frame as one step of undo; steps of the same non-empty kind in a row are one. */
  edit(change, kind = "") {
    const before = structuredClone(this.frames[this.frame]);
    change(this.frames[this.frame]);
    const last = this.past.at(-1);
    if (!kind || last?.kind !== kind || last.frame !== this.frame || this.future.length) {
      this.past.push({ frame: this.frame, joint: this.joint, before, kind });
      if (this.past.length > UNDO_STEPS) this.past.shift();
    }
    this.future = [];
    this.onChange();
  }

  undo() {
    this.travel(this.past, this.future);
  }

  redo() {
    this.travel(this.future, this.past);
  }

  travel(from, to) {
    const step = from.pop();
    if (!step) return;
    to.push({ ...step, before: this.frames[step.frame], kind: "" });
    this.frames[step.frame] = step.before;
    [this.frame, this.joint] = [step.frame, step.joint];
    this.onChange();
  }

  /* Put the selected joint somewhere in the image; an absent one becomes visible. */
  place(x, y, kind) {
    const { width, height } = this.images[this.frame];
    const at = [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))].map(rounded);
    this.edit(({ points }) => (points[this.joint] = [...at, this.point[2] || VISIBLE]), kind);
  }

  /* Give the selected joint a visibility, or take it back: a joint without a place stays absent. */
  toggle(visibility) {
    const [x, y, now] = this.point;
    if (x === null) return;
    this.edit(({ points }) => (points[this.joint] = [x, y, now === visibility ? VISIBLE : visibility]));
  }

  /* Exchange left and right of all joints, or of the selected one and its mirror image. */
  swapSides(joints = this.names.map((_, joint) => joint)) {
    this.edit((frame) => {
      const old = frame.points;
      frame.points = old.map((point, joint) => (joints.includes(joint) ? old[this.mirror[joint]] : point));
    });
  }

  swapPair() {
    this.swapSides([this.joint, this.mirror[this.joint]]);
  }

  /* The tracker's guess again. */
  reset() {
    this.edit((frame) => (frame.points = structuredClone(this.guesses[this.frame])));
  }

  setDone(done) {
    this.edit((frame) => (frame.done = done));
  }

  /* The next frame that is not done, after the current one and then from the start. */
  nextOpen() {
    const count = this.frames.length;
    const order = this.frames.map((_, k) => (this.frame + 1 + k) % count);
    return order.find((frame) => !this.frames[frame].done);
  }

  nextAbsent() {
    const count = this.names.length;
    const order = this.names.map((_, k) => (this.joint + 1 + k) % count);
    return order.find((joint) => this.points[joint][2] === ABSENT);
  }

  /* What must be kept to go on later. */
  kept() {
    return JSON.stringify({ frames: this.frames, frame: this.frame });
  }

  restore(text) {
    const { frames, frame } = JSON.parse(text);
    const fits = Array.isArray(frames) && frames.length === this.frames.length && frames[frame]
      && frames.every((one) => one.points?.length === this.names.length);
    if (!fits) throw new Error("kept labels are of other frames");
    [this.frames, this.frame, this.past, this.future] = [frames, frame, [], []];
  }

  /* Take over a COCO file: its frames are done. Gives their number; each is one step of undo. */
  load({ images, categories, annotations }) {
    const names = categories[0].keypoints;
    const fileNames = new Map(images.map((image) => [image.id, image.file_name]));
    const marks = new Map(annotations.map((mark) => [fileNames.get(mark.image_id), mark.keypoints]));
    const loaded = this.images.map(({ file_name }) => marks.get(file_name) && this.pointsOf(marks.get(file_name), names));
    loaded.forEach((points, frame) => {
      if (!points) return;
      this.past.push({ frame, joint: this.joint, before: this.frames[frame], kind: "" });
      this.frames[frame] = { points, done: true };
    });
    this.future = [];
    this.onChange();
    return loaded.filter(Boolean).length;
  }

  pointsOf(flat, names) {
    if (flat.length !== 3 * names.length || !flat.every(Number.isFinite)) throw new Error("keypoints must be three numbers each");
    return this.names.map((name) => {
      const at = 3 * names.indexOf(name);
      const point = at < 0 ? [] : flat.slice(at, at + 3);
      return point[2] ? [rounded(point[0]), rounded(point[1]), point[2] === OCCLUDED ? OCCLUDED : VISIBLE] : [null, null, ABSENT];
    });
  }

  /* COCO keypoints of the frames that are done. */
  document() {
    const annotations = [];
    this.frames.forEach(({ points, done }, k) => {
      const known = points.filter((point) => point[2] !== ABSENT);
      if (!done || !known.length) return;
      const [left, top] = [0, 1].map((axis) => Math.min(...known.map((point) => point[axis])));
      const size = [0, 1].map((axis) => rounded(Math.max(...known.map((point) => point[axis])) - [left, top][axis]));
      annotations.push({
        id: annotations.length + 1, image_id: this.images[k].id, category_id: 1, iscrowd: 0,
        keypoints: points.flatMap((point) => (point[2] === ABSENT ? [0, 0, 0] : point)),
        num_keypoints: known.length, bbox: [left, top, ...size], area: rounded(size[0] * size[1]),
      });
    });
    return { ...this.coco, annotations };
  }
}
