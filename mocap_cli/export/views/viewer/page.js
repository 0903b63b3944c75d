/* The page: reads the embedded files and connects buttons, keys and mouse to the clock. */

const $ = (id) => document.getElementById(id);
const COLOURS = ["text", "dim", "line", "panel", "left", "right", "middle", "planted", "uncertain", "grid"];
const RATES = [0.1, 0.25, 0.5, 1, 2];
const FIRST_PLOTS = ["knee flexion", "hip flexion", "elbow flexion", "shoulder elevation", "trunk inclination"];

function readColours(into) {
  const style = getComputedStyle(document.documentElement);
  for (const name of COLOURS) into[name] = style.getPropertyValue(`--${name}`).trim();
  return into;
}

/* The angles of the table as choices of a plot, left and right of one name together. */
function angleChoices(table) {
  const parts = new Map();
  for (const column of table.columns.slice(1)) {
    const side = sideOf(column);
    const title = (side === "middle" ? column : column.slice(side.length + 1)).replaceAll("_", " ");
    if (!parts.has(title)) parts.set(title, { title, unit: "\u00b0", digits: 0, least: 20, lines: [] });
    parts.get(title).lines.push({ label: side === "middle" ? "" : side, side, values: table.values[column] });
  }
  return [...parts.values()];
}

function heightChoice(motion, centres) {
  const of = (name) => Float32Array.from({ length: motion.frames }, (_, t) => placeOf(motion, t, motion.joint[name])[1]);
  return {
    title: motion.space === "world" ? "height, m" : "height in camera axes, m",
    unit: "",
    digits: 2,
    least: 0.5,
    lines: [
      { label: "centre", side: "middle", values: Float32Array.from({ length: motion.frames }, (_, t) => centres[3 * t + 1]) },
      { label: "left foot", side: "left", values: of("left_toe") },
      { label: "right foot", side: "right", values: of("right_toe") },
    ],
  };
}

class Page {
  constructor(settings, motion, table) {
    this.settings = settings;
    this.motion = motion;
    this.colours = readColours({});
    const centres = centresOfMass(motion, settings.mass);
    this.clock = new Clock(motion.times, (frame) => this.show(frame), () => this.state());
    const go = (time) => this.clock.show(this.clock.nearest(time));
    this.scene = new Scene($("scene"), motion, centres, this.colours);
    this.film = new Film($("overlay"), motion, this.colours);
    const angles = angleChoices(table);
    const plot = (choices, chosen) => new Plot($("plots"), motion, this.colours, choices, chosen, go);
    const chosen = FIRST_PLOTS.map((title) => angles.findIndex((angle) => angle.title === title));
    this.views = [
      this.scene,
      new Timeline($("timeline"), motion, this.colours, go),
      plot([heightChoice(motion, centres)], 0),
      ...chosen.filter((index) => index >= 0).map((index) => plot(angles, index)),
    ];
    this.describe(go);
    this.listen();
    this.openVideo();
    this.clock.show(0);
  }

  describe(go) {
    const { motion, settings } = this;
    const seconds = motion.times[motion.frames - 1] - motion.times[0] + 1 / motion.fps;
    const { width, height } = motion.source;
    $("facts").textContent = `${motion.frames} frames, ${seconds.toFixed(2)} s at ${motion.fps.toFixed(2)} fps, ${width} \u00d7 ${height}`;
    $("verdict").hidden = false;
    $("verdict").textContent = settings.fit ? "good" : "needs review";
    $("verdict").className = `pill ${settings.fit ? "fit" : "unfit"}`;
    $("scrub").max = motion.frames - 1;
    for (const { label, value, kept } of settings.readings) {
      $("quality").appendChild(document.createElement("dt")).textContent = label;
      const number = $("quality").appendChild(document.createElement("dd"));
      number.textContent = value || "unknown";
      number.classList.toggle("bad", !kept);
    }
    for (const { start, end, reason } of motion.uncertain) {
      const row = $("spans").appendChild(document.createElement("li"));
      const button = row.appendChild(document.createElement("button"));
      button.textContent = `${start.toFixed(2)} to ${end.toFixed(2)} s`;
      button.addEventListener("click", () => go(start));
      row.append(reason);
    }
    if (!motion.uncertain.length) $("spans").appendChild(document.createElement("li")).textContent = "nothing";
    for (const warning of [...motion.warnings, ...motion.notes]) $("warnings").appendChild(document.createElement("li")).textContent = warning;
    $("warned").hidden = !motion.warnings.length && !motion.notes.length;
  }

  openVideo() {
    const { video } = this.settings;
    if (!video) return;
    const { width, height } = this.motion.source;
    $("film").style.setProperty("--aspect", width / height);
    $("film").hidden = false;
    const player = $("video");
    player.addEventListener("loadeddata", () => this.clock.lead(player, video.zero), { once: true });
    player.addEventListener("error", () => this.loseVideo(video));
    player.src = video.link ?? URL.createObjectURL(new Blob([carriedBytes("video-file")], { type: video.type }));
    this.views.push(this.film);
  }

  loseVideo(video) {
    $("film").hidden = true;
    $("note").hidden = false;
    $("note").textContent = video.link ? `cannot play ${decodeURIComponent(video.link)}` : "this browser cannot play the video";
    this.clock.leave();
    this.redraw();
  }

  show(frame) {
    const { motion } = this;
    for (const view of this.views) view.show(frame);
    $("scrub").value = frame;
    const state = motion.seen[frame] ? "" : motion.tracked[frame] ? ", interpolated" : ", no person";
    $("time").textContent = `${motion.times[frame].toFixed(3)} s`;
    $("time").appendChild(document.createElement("small")).textContent = `frame ${frame + 1} of ${motion.frames}${state}`;
  }

  state() {
    document.body.classList.toggle("playing", this.clock.playing);
  }

  redraw() {
    for (const view of this.views) {
      view.forget?.();
      view.draw();
    }
  }

  listen() {
    const { clock, scene } = this;
    const presses = { first: () => clock.show(0), back: () => clock.step(-1), on: () => clock.step(1), last: () => clock.show(clock.last) };
    document.querySelectorAll("[data-go]").forEach((button) => button.addEventListener("click", presses[button.dataset.go]));
    document.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () => this.look(button.dataset.view)));
    $("play").addEventListener("click", () => clock.toggle());
    $("scrub").addEventListener("input", () => clock.show(Number($("scrub").value)));
    $("rate").addEventListener("change", () => clock.setRate(Number($("rate").value)));
    $("follow").setAttribute("aria-pressed", scene.follow);
    this.onSwitch("follow", (on) => {
      scene.follow = on;
      scene.draw();
    });
    this.onSwitch("show-overlay", (on) => {
      this.film.shown = on;
      this.film.draw();
    });
    this.onSwitch("mute", (on) => ($("video").muted = on));
    this.onSwitch("loop", (on) => (clock.loop = on));
    $("theme").addEventListener("click", () => this.setTheme(document.documentElement.dataset.theme === "light" ? "dark" : "light"));
    $("help").addEventListener("click", () => $("keys").showModal());
    // The space bar plays; it must not also press the button that was clicked last.
    document.addEventListener("click", (event) => event.detail && document.activeElement?.tagName === "BUTTON" && document.activeElement.blur());
    document.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.redraw()).observe($("stages"));
    new ResizeObserver(() => this.redraw()).observe($("plots"));
  }

  onSwitch(id, change) {
    $(id).addEventListener("click", () => {
      const on = $(id).getAttribute("aria-pressed") !== "true";
      $(id).setAttribute("aria-pressed", on);
      change(on);
    });
  }

  look(view) {
    this.scene.look(view);
    this.scene.draw();
  }

  setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    readColours(this.colours);
    this.redraw();
  }

  setRate(steps) {
    const next = RATES[Math.max(0, Math.min(RATES.length - 1, RATES.indexOf(this.clock.rate) + steps))];
    $("rate").value = next;
    this.clock.setRate(next);
  }

  press(event) {
    const at = event.target.tagName;
    if (event.ctrlKey || event.altKey || event.metaKey || $("keys").open || at === "SELECT") return;
    if (at === "BUTTON" && event.key === " ") return;
    const { clock } = this;
    const far = event.shiftKey ? 10 : 1;
    const keys = {
      " ": () => clock.toggle(), ArrowLeft: () => clock.step(-far), ArrowRight: () => clock.step(far),
      Home: () => clock.show(0), End: () => clock.show(clock.last), "[": () => this.setRate(-1), "]": () => this.setRate(1),
      1: () => this.look("camera"), 2: () => this.look("front"), 3: () => this.look("side"), 4: () => this.look("top"),
      f: () => $("follow").click(), o: () => $("show-overlay").click(), m: () => $("mute").click(),
      l: () => $("loop").click(), t: () => $("theme").click(), "?": () => $("help").click(),
    };
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

function offerDownloads(settings, motion) {
  const offer = (label, name, content) => {
    const button = $("downloads").appendChild(document.createElement("button"));
    button.textContent = label;
    button.title = `Save ${name}`;
    button.addEventListener("click", async () => save(name, await content()));
  };
  for (const { id, label, name } of settings.files) offer(label, name, () => carriedText(id));
  offer("CSV", `${settings.stem}.csv`, () => csvOf(motion));
}

async function open() {
  const light = window.matchMedia("(prefers-color-scheme: light)");
  document.documentElement.dataset.theme = light.matches ? "light" : "dark";
  const settings = JSON.parse($("settings").textContent);
  const motion = motionOf(JSON.parse(await carriedText("json-file")));
  const table = tableOf(await carriedText("angles-file"));
  offerDownloads(settings, motion);
  return new Page(settings, motion, table);
}

open().then(
  (page) => (window.mocap = page),
  (error) => {
    $("note").hidden = false;
    $("note").textContent = `cannot open this page: ${error.message}`;
    throw error;
  }
);
