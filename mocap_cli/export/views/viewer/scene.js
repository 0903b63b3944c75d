/* The 3D view: the people on a grid of one-metre squares, with an orbiting camera. */

const THICKNESS = {
  knee: 0.062, ankle: 0.046, toe: 0.036, hip: 0.05, spine: 0.07, thorax: 0.07, neck: 0.05,
  head: 0.05, shoulder: 0.046, elbow: 0.042, wrist: 0.034,
}; // metres; diameter of the limb that ends in this joint
const TRAIL = 6; // seconds of the path of the centre of mass, before and after the current frame
const GRID = 7; // metres of floor shown around the middle

class Scene {
  /* `centres` are the centres of mass of each person; one person is chosen. */
  constructor(canvas, motions, centres, colours) {
    this.canvas = canvas;
    this.motions = motions;
    this.allCentres = centres;
    this.colours = colours;
    this.frame = 0;
    this.choose(0);
    const { motion } = this;
    this.bones = motion.parents.flatMap((parent, joint) => {
      const part = motion.names[joint].replace(/^(left|right)_/, "");
      return parent < 0 ? [] : [{ parent, joint, side: sideOf(motion.names[joint]), width: THICKNESS[part] ?? 0.04 }];
    });
    this.orbit = new Orbit(canvas, () => this.draw(), () => this.reset());
    this.reset();
  }

  /* The person that is followed, and whose heading the views take. */
  choose(index) {
    this.motion = this.motions[index];
    this.centres = this.allCentres[index];
  }

  /* All motions in view, a little from the side and from above. */
  reset() {
    const [low, high] = this.reach();
    const middle = low.map((value, axis) => (value + high[axis]) / 2);
    const tall = (high[1] - low[1]) / 2;
    const wide = Math.hypot(high[0] - low[0], high[2] - low[2]) / 2;
    const narrow = Math.min(1, this.canvas.clientHeight / Math.max(1, this.canvas.clientWidth));
    this.follow = tall > 1.8 || wide > 3.5;
    this.orbit.target = middle;
    this.orbit.pan = [0, 0, 0];
    // A person nearer than the middle must not outgrow the view.
    this.orbit.distance = this.follow ? 1.2 / FIELD : (0.2 + Math.max(1, tall, wide * narrow)) / FIELD + 0.6 * wide;
    this.look("camera");
    this.orbit.yaw += 0.5;
    this.orbit.pitch = Math.min(1.2, Math.max(0.16, this.orbit.pitch + 0.1));
  }

  reach() {
    const low = [Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity];
    for (const { joints } of this.motions) {
      joints.forEach((value, index) => {
        if (Number.isNaN(value)) return;
        low[index % 3] = Math.min(low[index % 3], value);
        high[index % 3] = Math.max(high[index % 3], value);
      });
    }
    return Number.isFinite(low[0]) ? [low, high] : [[-1, 0, -1], [1, 2, 1]];
  }

  /* Go to one of the four views, by the heading of the person in this frame. */
  look(view) {
    const pose = this.motion.camera.subarray(this.frame * 12, this.frame * 12 + 12);
    if (view === "camera") {
      this.orbit.yaw = Math.atan2(pose[2], pose[10]) || 0;
      this.orbit.pitch = Math.asin(Math.max(-1, Math.min(1, pose[6]))) || 0;
    } else if (view === "top") {
      this.orbit.pitch = Math.PI / 2 - 0.001;
    } else {
      this.orbit.yaw = this.facing() + (view === "side" ? Math.PI / 2 : 0);
      this.orbit.pitch = 0.06;
    }
  }

  /* The heading of the person along the floor, from the hips and the trunk. */
  facing() {
    const at = (name) => placeOf(this.motion, this.frame, this.motion.joint[name]);
    const minus = (a, b) => a.map((value, axis) => value - b[axis]);
    const side = minus(at("left_hip"), at("right_hip"));
    const up = minus(at("thorax"), at("pelvis"));
    return Math.atan2(side[1] * up[2] - side[2] * up[1], side[0] * up[1] - side[1] * up[0]) || 0;
  }

  show(frame) {
    this.frame = frame;
    this.draw();
  }

  draw() {
    const { pen, width, height } = sized(this.canvas);
    pen.clearRect(0, 0, width, height);
    const centre = this.centres.subarray(this.frame * 3, this.frame * 3 + 3);
    if (this.follow && !Number.isNaN(centre[0])) this.orbit.target = [...centre];
    const lens = this.orbit.lens(width, height);
    pen.lineCap = pen.lineJoin = "round";
    if (this.motion.space === "world") this.drawFloor(pen, lens);
    this.drawTrail(pen, lens);
    pen.globalAlpha = 1;
    const there = this.motions.filter((motion) => motion.tracked[this.frame]);
    if (!there.length) {
      pen.font = "13px system-ui, sans-serif";
      pen.fillStyle = this.colours.dim;
      pen.textAlign = "center";
      pen.fillText("no person", width / 2, height / 2);
      return;
    }
    if (this.motion.space === "world") for (const motion of there) this.drawShadow(pen, lens, motion);
    this.drawBodies(pen, lens, there);
    pen.globalAlpha = 1;
  }

  drawFloor(pen, lens) {
    const [x0, z0] = [Math.round(this.orbit.aim[0]), Math.round(this.orbit.aim[2])];
    pen.strokeStyle = this.colours.grid;
    pen.lineWidth = 1;
    for (let i = -GRID; i <= GRID; i++) {
      for (let k = -GRID; k < GRID; k++) {
        const fade = 1 - Math.hypot(i, k + 0.5) / GRID;
        if (fade <= 0) continue;
        pen.globalAlpha = 0.65 * fade;
        this.stroke(pen, lens([x0 + i, 0, z0 + k]), lens([x0 + i, 0, z0 + k + 1]));
        this.stroke(pen, lens([x0 + k, 0, z0 + i]), lens([x0 + k + 1, 0, z0 + i]));
      }
    }
  }

  /* The path of the centre of mass around the current frame: past opaque, future faint. */
  drawTrail(pen, lens) {
    const reach = Math.ceil(TRAIL * this.motion.fps);
    const oldest = Math.max(0, this.frame - reach);
    const newest = Math.min(this.motion.frames - 1, this.frame + reach);
    pen.strokeStyle = this.colours.uncertain;
    pen.lineWidth = 1.5;
    for (const [first, last, alpha] of [[oldest, this.frame, 0.75], [this.frame, newest, 0.25]]) {
      pen.globalAlpha = alpha;
      pen.beginPath();
      for (let t = first, down = false; t <= last; t++) {
        const place = this.centres.subarray(t * 3, t * 3 + 3);
        const [x, y, depth] = Number.isNaN(place[0]) ? [0, 0, 0] : lens([...place]);
        if (depth > NEAR) down ? pen.lineTo(x, y) : pen.moveTo(x, y);
        down = depth > NEAR;
      }
      pen.stroke();
    }
  }

  drawShadow(pen, lens, motion) {
    pen.strokeStyle = "#000";
    pen.globalAlpha = 0.22;
    pen.beginPath();
    for (const { parent, joint, width } of this.bones) {
      const [a, b] = [parent, joint].map((index) => placeOf(motion, this.frame, index));
      const [start, end] = [lens([a[0], 0, a[2]]), lens([b[0], 0, b[2]])];
      if (Math.min(start[2], end[2]) < NEAR) continue;
      pen.lineWidth = (this.orbit.scale * width * 1.2) / start[2];
      pen.moveTo(start[0], start[1]);
      pen.lineTo(end[0], end[1]);
    }
    pen.stroke();
    this.drawStance(pen, lens, motion);
  }

  /* A ring on the floor around each planted foot. */
  drawStance(pen, lens, motion) {
    pen.strokeStyle = this.colours.planted;
    pen.lineWidth = 2;
    ["left", "right"].forEach((side, index) => {
      const contact = motion.contacts[this.frame * 2 + index];
      if (!(contact > 0.5)) return;
      const [ankle, toe] = ["ankle", "toe"].map((part) =>
        placeOf(motion, this.frame, motion.joint[`${side}_${part}`]));
      const height = Math.max(0, Math.min(ankle[1] - 0.07, toe[1] - 0.03));
      pen.globalAlpha = contact;
      pen.beginPath();
      for (let k = 0; k <= 24; k++) {
        const turn = (k * Math.PI) / 12;
        const at = [(ankle[0] + toe[0]) / 2 + 0.15 * Math.cos(turn), height, (ankle[2] + toe[2]) / 2 + 0.15 * Math.sin(turn)];
        const [x, y] = lens(at);
        k ? pen.lineTo(x, y) : pen.moveTo(x, y);
      }
      pen.stroke();
    });
  }

  /* Limbs as rounded strokes, the far ones first; uncertain ones are faint. */
  drawBodies(pen, lens, motions) {
    const parts = motions.flatMap((motion) => this.partsOf(pen, lens, motion));
    parts.sort((one, other) => other.depth - one.depth);
    for (const { depth, paint } of parts) if (depth > NEAR) paint();
  }

  partsOf(pen, lens, motion) {
    const points = motion.names.map((_, joint) => lens(placeOf(motion, this.frame, joint)));
    const fade = motion.seen[this.frame] ? 1 : 0.55;
    const parts = this.bones.map((bone) => {
      const [a, b] = [points[bone.parent], points[bone.joint]];
      const sigma = motion.sigma[this.frame * motion.J + bone.joint];
      const opacity = Math.max(0.4, Math.min(1, 1.25 - sigma * 3)) * fade;
      return { depth: (a[2] + b[2]) / 2, paint: () => this.drawLimb(pen, a, b, bone, opacity) };
    });
    const corners = ["left_shoulder", "right_shoulder", "right_hip", "left_hip"].map((name) => points[motion.joint[name]]);
    parts.push({ depth: corners.reduce((sum, point) => sum + point[2], 0) / 4, paint: () => this.drawTrunk(pen, corners, fade) });
    return parts;
  }

  drawTrunk(pen, corners, fade) {
    pen.globalAlpha = 0.3 * fade;
    pen.fillStyle = this.colours.middle;
    pen.beginPath();
    corners.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.fill();
  }

  drawLimb(pen, a, b, bone, opacity) {
    const thick = Math.max(2, (this.orbit.scale * bone.width) / Math.max((a[2] + b[2]) / 2, NEAR));
    const head = this.motion.names[bone.joint] === "head";
    const end = head ? a.map((value, axis) => (value + b[axis]) / 2) : b;
    for (const [colour, width, alpha] of [
      [this.colours.panel, thick + 2.5, opacity],
      [this.colours[bone.side], thick, opacity],
      ["#fff", thick * 0.3, 0.25 * opacity],
    ]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.globalAlpha = alpha;
      this.stroke(pen, a, end);
    }
    if (head) this.drawHead(pen, a, b, opacity);
  }

  drawHead(pen, neck, crown, opacity) {
    const radius = 0.6 * Math.hypot(crown[0] - neck[0], crown[1] - neck[1]);
    const least = (this.orbit.scale * 0.085) / Math.max(crown[2], NEAR);
    pen.globalAlpha = opacity;
    pen.fillStyle = this.colours.middle;
    pen.strokeStyle = this.colours.panel;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc((neck[0] + crown[0]) / 2, (neck[1] + crown[1]) / 2, Math.min(Math.max(radius, least), 1.4 * least), 0, 7);
    pen.fill();
    pen.stroke();
  }

  stroke(pen, a, b) {
    if (a[2] < NEAR || b[2] < NEAR) return;
    pen.beginPath();
    pen.moveTo(a[0], a[1]);
    pen.lineTo(b[0], b[1]);
    pen.stroke();
  }
}
