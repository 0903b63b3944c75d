/* Plots over time, with a cursor that follows the frame; a press on one goes to that frame. */

const EDGE = { left: 40, right: 8, top: 8, bottom: 18 };
const STEPS = [1, 2, 5, 10];

/* Round values between two bounds, about so many. */
function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * STEPS.find((factor) => factor * power >= raw * 0.999);
  const made = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) made.push(k * step);
  return { made, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

/* Let a press or a drag on a canvas choose a time. */
function seekable(canvas, timeAt, go) {
  const seek = (event) => go(timeAt(event.clientX - canvas.getBoundingClientRect().left));
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    seek(event);
  });
  canvas.addEventListener("pointermove", (event) => event.buttons && seek(event));
}

class Plot {
  /* `choices` are [{title, unit, digits, lines: [{label, side, values}]}]; one is shown. */
  constructor(parent, motion, colours, choices, chosen, go) {
    this.motion = motion;
    this.colours = colours;
    this.choices = choices;
    this.frame = 0;
    this.paper = document.createElement("canvas");
    this.build(parent);
    this.choose(chosen);
    seekable(this.canvas, (x) => this.timeAt(x), go);
  }

  build(parent) {
    const panel = parent.appendChild(document.createElement("div"));
    panel.className = "plot";
    this.head = panel.appendChild(document.createElement("header"));
    this.canvas = panel.appendChild(document.createElement("canvas"));
    if (this.choices.length === 1) {
      this.head.appendChild(document.createElement("h2")).textContent = this.choices[0].title;
      return;
    }
    const select = this.head.appendChild(document.createElement("select"));
    select.setAttribute("aria-label", "What is plotted");
    this.choices.forEach(({ title }, index) => select.add(new Option(title, index)));
    select.addEventListener("change", () => {
      this.choose(Number(select.value));
      this.draw();
    });
    this.select = select;
  }

  choose(index) {
    this.shown = this.choices[index];
    if (this.select) this.select.value = index;
    this.head.querySelectorAll(".value").forEach((value) => value.remove());
    this.readings = this.shown.lines.map(({ label, side }) => {
      const value = this.head.appendChild(document.createElement("span"));
      value.className = "value";
      value.style.setProperty("--key", `var(--${side})`);
      value.append(label, " ");
      return value.appendChild(document.createElement("b"));
    });
    this.scaleToLines();
    this.paper.width = 0; // to be drawn anew
  }

  scaleToLines() {
    let [low, high] = [Infinity, -Infinity];
    for (const { values } of this.shown.lines) {
      for (const value of values) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (!(low <= high)) [low, high] = [0, 1];
    const room = Math.max(0.06 * (high - low), this.shown.least / 2 - (high - low) / 2);
    [this.low, this.high] = [low - room, high + room];
  }

  get span() {
    const { times, frames } = this.motion;
    return [times[0], Math.max(times[frames - 1], times[0] + 1e-3)];
  }

  x(time) {
    const [first, last] = this.span;
    return EDGE.left + ((time - first) / (last - first)) * (this.canvas.clientWidth - EDGE.left - EDGE.right);
  }

  y(value) {
    const height = this.canvas.clientHeight - EDGE.top - EDGE.bottom;
    return EDGE.top + height * (1 - (value - this.low) / (this.high - this.low));
  }

  timeAt(x) {
    const [first, last] = this.span;
    return first + ((x - EDGE.left) / (this.canvas.clientWidth - EDGE.left - EDGE.right)) * (last - first);
  }

  show(frame) {
    this.frame = frame;
    this.draw();
  }

  draw() {
    const { pen, width, height } = sized(this.canvas);
    if (this.paper.width !== this.canvas.width || this.paper.height !== this.canvas.height) this.drawPaper(width, height);
    pen.clearRect(0, 0, width, height);
    pen.drawImage(this.paper, 0, 0, width, height);
    const x = this.x(this.motion.times[this.frame]);
    pen.fillStyle = this.colours.text;
    pen.fillRect(x - 0.5, EDGE.top, 1, height - EDGE.top - EDGE.bottom);
    this.shown.lines.forEach(({ values, side }, index) => {
      const value = values[this.frame];
      const known = !Number.isNaN(value);
      this.readings[index].textContent = known ? value.toFixed(this.shown.digits) + this.shown.unit : "-";
      if (!known) return;
      pen.fillStyle = this.colours[side];
      pen.beginPath();
      pen.arc(x, this.y(value), 3.5, 0, 7);
      pen.fill();
    });
  }

  /* What does not move: axes, stretches in doubt, and the lines. */
  drawPaper(width, height) {
    this.paper.width = this.canvas.width;
    this.paper.height = this.canvas.height;
    const pen = this.paper.getContext("2d");
    pen.scale(this.paper.width / width, this.paper.height / height);
    pen.font = "11px system-ui, sans-serif";
    this.drawDoubts(pen, height);
    this.drawAxes(pen, width, height);
    pen.lineWidth = 1.75;
    pen.lineJoin = "round";
    for (const { values, side } of this.shown.lines) {
      pen.strokeStyle = this.colours[side];
      this.drawLine(pen, values);
    }
  }

  drawDoubts(pen, height) {
    pen.fillStyle = this.colours.doubt;
    pen.globalAlpha = 0.09;
    for (const { start, end } of this.motion.doubtful) {
      pen.fillRect(this.x(start), EDGE.top, Math.max(1, this.x(end) - this.x(start)), height - EDGE.top - EDGE.bottom);
    }
    pen.globalAlpha = 1;
  }

  drawAxes(pen, width, height) {
    pen.strokeStyle = this.colours.line;
    pen.fillStyle = this.colours.dim;
    pen.lineWidth = 1;
    const across = ticks(this.low, this.high, 5);
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const value of across.made) {
      const y = Math.round(this.y(value)) + 0.5;
      pen.beginPath();
      pen.moveTo(EDGE.left, y);
      pen.lineTo(width - EDGE.right, y);
      pen.stroke();
      pen.fillText(value.toFixed(across.digits), EDGE.left - 6, y);
    }
    const along = ticks(...this.span, Math.max(2, width / 90));
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    for (const time of along.made) pen.fillText(`${time.toFixed(along.digits)} s`, Math.min(this.x(time), width - 16), height);
  }

  /* A line that stops where nothing is known, and where an angle comes round from the other side. */
  drawLine(pen, values) {
    const { times, frames } = this.motion;
    pen.beginPath();
    for (let t = 0, down = false; t < frames; t++) {
      const known = !Number.isNaN(values[t]);
      if (known) {
        const jumps = t > 0 && Math.abs(values[t] - values[t - 1]) > 180;
        down && !jumps ? pen.lineTo(this.x(times[t]), this.y(values[t])) : pen.moveTo(this.x(times[t]), this.y(values[t]));
      }
      down = known;
    }
    pen.stroke();
  }
}

/* The whole clip as a band: who was seen, which foot stands, where to look again. */
class Timeline extends Plot {
  constructor(canvas, motion, colours, go) {
    const holder = document.createElement("div");
    super(holder, motion, colours, [{ title: "", unit: "", digits: 0, least: 0, lines: [] }], 0, () => {});
    this.canvas = canvas;
    seekable(canvas, (x) => this.timeAt(x), go);
  }

  x(time) {
    const [first, last] = this.span;
    return 6 + ((time - first) / (last - first)) * (this.canvas.clientWidth - 12);
  }

  timeAt(x) {
    const [first, last] = this.span;
    return first + ((x - 6) / (this.canvas.clientWidth - 12)) * (last - first);
  }

  drawPaper(width, height) {
    this.paper.width = this.canvas.width;
    this.paper.height = this.canvas.height;
    const pen = this.paper.getContext("2d");
    pen.scale(this.paper.width / width, this.paper.height / height);
    const { motion, colours } = this;
    const band = (yes, colour, alpha, top, thick) => {
      pen.fillStyle = colour;
      pen.globalAlpha = alpha;
      for (let t = 0; t < motion.frames; t++) {
        if (!yes(t)) continue;
        let last = t;
        while (last + 1 < motion.frames && yes(last + 1)) last++;
        const until = motion.times[Math.min(last + 1, motion.frames - 1)];
        pen.fillRect(this.x(motion.times[t]), top, Math.max(1, this.x(until) - this.x(motion.times[t])), thick);
        t = last;
      }
    };
    band(() => true, colours.line, 1, 9, 8);
    band((t) => motion.tracked[t], colours.dim, 0.45, 9, 8);
    band((t) => motion.tracked[t] && motion.seen[t], colours.dim, 0.75, 9, 8);
    pen.fillStyle = colours.doubt;
    pen.globalAlpha = 0.9;
    for (const { start, end } of motion.doubtful) pen.fillRect(this.x(start), 4, Math.max(2, this.x(end) - this.x(start)), 3);
    band((t) => motion.contacts[2 * t] > 0.5, colours.left, 1, 19, 4);
    band((t) => motion.contacts[2 * t + 1] > 0.5, colours.right, 1, 24, 4);
    pen.globalAlpha = 1;
  }

  draw() {
    const { pen, width, height } = sized(this.canvas);
    if (this.paper.width !== this.canvas.width || this.paper.height !== this.canvas.height) this.drawPaper(width, height);
    pen.clearRect(0, 0, width, height);
    pen.drawImage(this.paper, 0, 0, width, height);
    const x = this.x(this.motion.times[this.frame]);
    pen.fillStyle = this.colours.text;
    pen.fillRect(x - 1, 2, 2, height - 4);
    pen.beginPath();
    pen.arc(x, 13, 5.5, 0, 7);
    pen.fill();
  }
}
