/* Plots over time with a cursor at the current frame; a click goes to that frame. */

const TOP = 8;
const BOTTOM = 18; // pixels below a plot, for its times
const STEPS = [1, 2, 5, 10];
const LEGEND = "Grey: person detected. Yellow: uncertain. Orange and blue: left and right foot planted. Red: a reason of the verdict.";

/* About `count` round values between two bounds. */
function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * STEPS.find((factor) => factor * power >= raw * 0.999);
  const made = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) made.push(k * step);
  return { made, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

/* Let a click or a drag on a canvas choose a time. */
function seekable(canvas, timeAt, go) {
  const seek = (event) => go(timeAt(event.clientX - canvas.getBoundingClientRect().left));
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    seek(event);
  });
  canvas.addEventListener("pointermove", (event) => event.buttons && seek(event));
}

/* A canvas along time: the static part is drawn once, on paper; the cursor moves over it. */
class Strip {
  constructor(canvas, motion, colours, left, right, go) {
    Object.assign(this, { canvas, motion, colours, left, right });
    this.frame = 0;
    this.paper = document.createElement("canvas");
    seekable(canvas, (x) => this.timeAt(x), go);
  }

  get span() {
    const { times, frames } = this.motion;
    return [times[0], Math.max(times[frames - 1], times[0] + 1e-3)];
  }

  x(time) {
    const [first, last] = this.span;
    return this.left + ((time - first) / (last - first)) * (this.canvas.clientWidth - this.left - this.right);
  }

  timeAt(x) {
    const [first, last] = this.span;
    return first + ((x - this.left) / (this.canvas.clientWidth - this.left - this.right)) * (last - first);
  }

  show(frame) {
    this.frame = frame;
    this.draw();
  }

  /* Draw the paper again next time. */
  forget() {
    this.paper.width = 0;
  }

  draw() {
    const { pen, width, height } = sized(this.canvas);
    if (!width || !height) return;
    if (this.paper.width !== this.canvas.width || this.paper.height !== this.canvas.height) {
      this.paper.width = this.canvas.width;
      this.paper.height = this.canvas.height;
      const still = this.paper.getContext("2d");
      still.scale(this.paper.width / width, this.paper.height / height);
      this.drawPaper(still, width, height);
    }
    pen.clearRect(0, 0, width, height);
    pen.drawImage(this.paper, 0, 0, width, height);
    this.drawCursor(pen, this.x(this.motion.times[this.frame]), height);
  }
}

class Plot extends Strip {
  /* `choices` are [{title, unit, digits, lines: [{label, side, values}]}]; one is shown. */
  constructor(parent, motion, colours, choices, chosen, go) {
    const panel = parent.appendChild(document.createElement("div"));
    panel.className = "plot";
    const head = panel.appendChild(document.createElement("header"));
    super(panel.appendChild(document.createElement("canvas")), motion, colours, 40, 8, go);
    this.choices = choices;
    this.head = head;
    this.title();
    this.choose(chosen);
  }

  title() {
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
    this.forget();
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

  y(value) {
    const height = this.canvas.clientHeight - TOP - BOTTOM;
    return TOP + height * (1 - (value - this.low) / (this.high - this.low));
  }

  drawCursor(pen, x, height) {
    pen.fillStyle = this.colours.text;
    pen.fillRect(x - 0.5, TOP, 1, height - TOP - BOTTOM);
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

  /* The static part: axes, uncertain spans, and the lines. */
  drawPaper(pen, width, height) {
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
    pen.fillStyle = this.colours.uncertain;
    pen.globalAlpha = 0.09;
    for (const { start, end } of this.motion.uncertain) {
      pen.fillRect(this.x(start), TOP, Math.max(1, this.x(end) - this.x(start)), height - TOP - BOTTOM);
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
      pen.moveTo(this.left, y);
      pen.lineTo(width - this.right, y);
      pen.stroke();
      pen.fillText(value.toFixed(across.digits), this.left - 6, y);
    }
    const along = ticks(...this.span, Math.max(2, width / 90));
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    for (const time of along.made) pen.fillText(`${time.toFixed(along.digits)} s`, Math.min(this.x(time), width - 16), height);
  }

  /* A line with gaps where values are unknown and where an angle wraps around. */
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

/* The whole clip as a band: detections, foot contacts, uncertain spans, marks of faults. */
class Timeline extends Strip {
  constructor(canvas, colours, go) {
    super(canvas, null, colours, 6, 6, (time) => go(this.markAt(time)?.time ?? time));
    canvas.addEventListener("pointermove", (event) => {
      const mark = this.markAt(this.timeAt(event.clientX - canvas.getBoundingClientRect().left));
      canvas.title = mark ? mark.reason : LEGEND;
    });
  }

  /* Show another person: a motion, and what its verdict names. */
  choose(motion, faults) {
    this.motion = motion;
    this.marks = faults.flatMap(({ reason, times }) => times.map((time) => ({ reason, time })));
    this.forget();
  }

  /* The mark under a time, a few pixels wide; a drag past it is not held. */
  markAt(time) {
    const off = ({ time: at }) => Math.abs(this.x(at) - this.x(time));
    const near = this.marks.filter((mark) => off(mark) < 5);
    return near.sort((one, other) => off(one) - off(other))[0];
  }

  drawPaper(pen) {
    const { motion, colours } = this;
    this.drawBand(pen, () => true, colours.line, 1, 9, 8);
    this.drawBand(pen, (t) => motion.tracked[t], colours.dim, 0.45, 9, 8);
    this.drawBand(pen, (t) => motion.tracked[t] && motion.seen[t], colours.dim, 0.75, 9, 8);
    this.drawBand(pen, (t) => motion.contacts[2 * t] > 0.5, colours.left, 1, 19, 4);
    this.drawBand(pen, (t) => motion.contacts[2 * t + 1] > 0.5, colours.right, 1, 24, 4);
    pen.fillStyle = colours.uncertain;
    for (const { start, end } of motion.uncertain) {
      pen.fillRect(this.x(start), 4, Math.max(2, this.x(end) - this.x(start)), 3);
    }
    pen.fillStyle = colours.bad;
    for (const { time } of this.marks) {
      const x = this.x(time);
      pen.beginPath();
      pen.moveTo(x - 5, 0);
      pen.lineTo(x + 5, 0);
      pen.lineTo(x, 9);
      pen.fill();
    }
  }

  /* A bar over every run of frames for which a condition holds. */
  drawBand(pen, yes, colour, alpha, top, thick) {
    const { times, frames } = this.motion;
    pen.fillStyle = colour;
    pen.globalAlpha = alpha;
    for (let t = 0; t < frames; t++) {
      if (!yes(t)) continue;
      const start = this.x(times[t]);
      while (t + 1 < frames && yes(t + 1)) t++;
      const end = this.x(times[Math.min(t + 1, frames - 1)]);
      pen.fillRect(start, top, Math.max(1, end - start), thick);
    }
    pen.globalAlpha = 1;
  }

  drawCursor(pen, x, height) {
    pen.fillStyle = this.colours.text;
    pen.fillRect(x - 1, 2, 2, height - 4);
    pen.beginPath();
    pen.arc(x, 13, 5.5, 0, 7);
    pen.fill();
  }
}
