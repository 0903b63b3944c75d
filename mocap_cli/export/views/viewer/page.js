/* The page: reads the embedded files and connects buttons, keys and mouse to the clock. */

const $ = (id) => document.getElementById(id);
const COLOURS = ["text", "dim", "line", "panel", "left", "right", "middle", "planted", "uncertain", "bad", "grid"];
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

/* A text in a list, after buttons for the times that it is about. */
function addTimed(list, text, times, go, kind = "") {
  const row = list.appendChild(document.createElement("li"));
  row.className = kind;
  for (const { label, time } of times) {
    const button = row.appendChild(document.createElement("button"));
    button.textContent = label;
    button.addEventListener("click", () => go(time));
  }
  row.append(text);
}

class Page {
  /* `people` are [{settings, motion, table, stills}], in one world and at the same times. */
  constructor(settings, people) {
    this.settings = settings;
    this.people = people;
    this.colours = readColours({});
    const motions = people.map(({ motion }) => motion);
    const centres = motions.map((motion) => centresOfMass(motion, settings.mass));
    people.forEach((person, index) => (person.centres = centres[index]));
    this.clock = new Clock(motions[0].times, (frame) => this.show(frame), () => this.state());
    this.go = (time) => this.clock.show(this.clock.nearest(time));
    this.scene = new Scene($("scene"), motions, centres, this.colours);
    this.film = new Film($("overlay"), motions, this.colours);
    this.timeline = new Timeline($("timeline"), this.colours, this.go);
    this.offerPeople();
    this.choose(0);
    this.listen();
    this.openVideo();
    this.clock.show(0);
  }

  offerPeople() {
    $("people").hidden = this.people.length < 2;
    this.people.forEach((_, index) => {
      const button = $("people").appendChild(document.createElement("button"));
      button.textContent = `Person ${index + 1}`;
      button.title = "Show this person's plots and quality (P: next)";
      button.addEventListener("click", () => this.choose(index));
    });
  }

  /* Show the plots, quality, key poses and files of a person. */
  choose(index) {
    this.chosen = index;
    this.person = this.people[index];
    const { motion, table, centres, settings } = this.person;
    this.motion = motion;
    for (const id of ["plots", "quality", "spans", "warnings", "stills", "downloads"]) $(id).replaceChildren();
    [...$("people").children].forEach((button, at) => button.setAttribute("aria-pressed", at === index));
    this.scene.choose(index);
    this.timeline.choose(motion, settings.faults);
    const angles = angleChoices(table);
    const plot = (choices, chosen) => new Plot($("plots"), motion, this.colours, choices, chosen, this.go);
    const chosen = FIRST_PLOTS.map((title) => angles.findIndex((angle) => angle.title === title));
    const plots = [plot([heightChoice(motion, centres)], 0), ...chosen.filter((at) => at >= 0).map((at) => plot(angles, at))];
    this.views = [this.scene, this.film, this.timeline, ...plots];
    this.describe();
    offerDownloads(settings, motion);
    this.showStills();
    this.show(this.clock.frame);
  }

  describe() {
    const { motion } = this;
    const { fit, readings, faults } = this.person.settings;
    const seconds = motion.times[motion.frames - 1] - motion.times[0] + 1 / motion.fps;
    const { width, height } = motion.source;
    $("facts").textContent = `${motion.frames} frames, ${seconds.toFixed(2)} s at ${motion.fps.toFixed(2)} fps, ${width} \u00d7 ${height}`;
    $("verdict").hidden = false;
    $("verdict").textContent = fit ? "good" : "needs review";
    $("verdict").className = `pill ${fit ? "fit" : "unfit"}`;
    $("scrub").max = motion.frames - 1;
    for (const { label, value, kept } of readings) {
      $("quality").appendChild(document.createElement("dt")).textContent = label;
      const number = $("quality").appendChild(document.createElement("dd"));
      number.textContent = value || "unknown";
      number.classList.toggle("bad", !kept);
    }
    const at = (time) => ({ label: `${time.toFixed(2)} s`, time });
    for (const { reason, times } of faults) addTimed($("spans"), reason, times.map(at), this.go, "fault");
    for (const { start, end, reason } of motion.uncertain) {
      addTimed($("spans"), reason, [{ label: `${start.toFixed(2)} to ${end.toFixed(2)} s`, time: start }], this.go);
    }
    if (!faults.length && !motion.uncertain.length) addTimed($("spans"), "nothing", [], this.go);
    for (const text of [...motion.warnings, ...motion.notes]) addTimed($("warnings"), text, [], this.go);
    $("warned").hidden = !motion.warnings.length && !motion.notes.length;
  }

  /* The key poses, each a button that goes to its time. */
  showStills() {
    const { strip, settings } = this.person;
    const [width, height] = settings.stills.size;
    settings.stills.times.forEach((time, index) => {
      const button = $("stills").appendChild(document.createElement("button"));
      button.addEventListener("click", () => this.go(time));
      const still = button.appendChild(document.createElement("canvas"));
      [still.width, still.height] = [width, height];
      still.getContext("2d").drawImage(strip, index * width, 0, width, height, 0, 0, width, height);
      button.append(`${time.toFixed(2)} s`);
    });
  }

  openVideo() {
    const { video } = this.settings;
    const { width, height } = this.motion.source;
    $("film").style.setProperty("--aspect", width / height);
    const player = $("video");
    player.addEventListener("loadeddata", () => {
      this.clock.lead(player, video?.zero ?? 0);
      $("find").hidden = $("note").hidden = true;
    });
    player.addEventListener("error", () => this.loseVideo());
    $("found").addEventListener("change", () => {
      if ($("found").files.length) this.play(URL.createObjectURL($("found").files[0]));
    });
    $("find").hidden = Boolean(video);
    if (!video) return;
    // A linked video that is not in its place may lie beside the page.
    this.addresses = video.link
      ? [video.link, video.link.split("/").pop()]
      : [URL.createObjectURL(new Blob([carriedBytes("video-file")], { type: video.type }))];
    this.play(this.addresses.shift());
  }

  play(address) {
    $("film").hidden = false;
    $("video").src = address;
    this.redraw();
  }

  /* Without its video the page still shows the motion, and asks where the video is. */
  loseVideo() {
    const { video } = this.settings;
    if (this.addresses?.length) return this.play(this.addresses.shift());
    $("film").hidden = true;
    $("note").hidden = $("find").hidden = false;
    const chosen = $("found").files[0]?.name ?? (video?.link && decodeURIComponent(video.link));
    $("note").textContent = chosen ? `cannot play ${chosen}` : "this browser cannot play the video";
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
      p: () => this.choose((this.chosen + 1) % this.people.length),
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
  return new Page(settings, await Promise.all(settings.people.map(openPerson)));
}

async function openPerson(settings) {
  const motion = motionOf(JSON.parse(await carriedText(`json-file${settings.mark}`)));
  const table = tableOf(await carriedText(`angles-file${settings.mark}`));
  if (!settings.stills.times.length) return { settings, motion, table };
  const strip = await createImageBitmap(new Blob([carriedBytes(`stills-file${settings.mark}`)], { type: "image/jpeg" }));
  return { settings, motion, table, strip };
}

open().then(
  (page) => (window.mocap = page),
  (error) => {
    $("note").hidden = false;
    $("note").textContent = `cannot open this page: ${error.message}`;
    throw error;
  }
);
