/* The motion in the embedded files, as typed arrays. */

/* Nested lists of numbers and nulls as one flat array; null is NaN. */
function flat(list) {
  return Float32Array.from(list.flat(Infinity), (value) => (value === null ? NaN : value));
}

/* The JSON of the motion: joints are at joints[(frame * J + joint) * 3 + axis]. */
function motionOf(document) {
  const names = document.skeleton.names;
  const frames = document.times.length;
  const motion = {
    file: document.source.file,
    source: document.source,
    space: document.space,
    names,
    parents: document.skeleton.parents,
    times: Float64Array.from(document.times),
    joints: flat(document.joints),
    sigma: flat(document.sigma),
    seen: document.seen,
    contacts: flat(document.contacts),
    focal: document.camera.focal_pixels,
    centre: document.camera.centre,
    camera: flat(document.camera.world_from_camera),
    warnings: document.warnings,
    notes: document.notes,
    uncertain: document.quality.doubtful,
    fps: document.quality.fps,
    frames,
    J: names.length,
  };
  motion.joint = Object.fromEntries(names.map((name, index) => [name, index]));
  motion.tracked = Array.from({ length: frames }, (_, t) => !Number.isNaN(motion.joints[t * names.length * 3]));
  return motion;
}

/* The position of a joint in a frame: [x, y, z]. */
function placeOf(motion, frame, joint) {
  const at = (frame * motion.J + joint) * 3;
  return [motion.joints[at], motion.joints[at + 1], motion.joints[at + 2]];
}

/* The centre of mass in every frame, from the share of mass of each joint. */
function centresOfMass(motion, mass) {
  const centres = new Float32Array(motion.frames * 3);
  for (let t = 0; t < motion.frames; t++) {
    for (let j = 0; j < motion.J; j++) {
      for (let axis = 0; axis < 3; axis++) {
        centres[t * 3 + axis] += mass[j] * motion.joints[(t * motion.J + j) * 3 + axis];
      }
    }
  }
  return centres;
}

/* A position projected into a frame, in pixels, or null behind the camera. */
function pixelOf(motion, frame, place) {
  const at = frame * 12;
  const pose = motion.camera;
  const away = place.map((value, axis) => value - pose[at + axis * 4 + 3]);
  const [x, y, z] = [0, 1, 2].map(
    (axis) => away[0] * pose[at + axis] + away[1] * pose[at + 4 + axis] + away[2] * pose[at + 8 + axis]
  );
  if (!(z < 0)) return null;
  return [motion.centre[0] - (motion.focal * x) / z, motion.centre[1] + (motion.focal * y) / z];
}

/* A table of numbers: {columns: [names], values: {name: Float32Array}}; empty cells are NaN. */
function tableOf(csv) {
  const [head, ...rows] = csv.trim().split("\n");
  const columns = head.split(",");
  const values = Object.fromEntries(columns.map((name) => [name, new Float32Array(rows.length)]));
  rows.forEach((row, t) => {
    row.split(",").forEach((cell, column) => {
      values[columns[column]][t] = cell === "" ? NaN : Number(cell);
    });
  });
  return { columns, values };
}

/* The table of joints, as `mocap export -o .csv` writes it. */
function csvOf(motion) {
  const cell = (value) => (Number.isNaN(value) ? "" : value.toFixed(6));
  const lines = ["time,joint,x,y,z,sigma,seen"];
  for (let t = 0; t < motion.frames; t++) {
    for (let j = 0; j < motion.J; j++) {
      const numbers = [...placeOf(motion, t, j), motion.sigma[t * motion.J + j]].map(cell);
      lines.push([motion.times[t].toFixed(6), motion.names[j], ...numbers, motion.seen[t]].join(","));
    }
  }
  return lines.join("\n") + "\n";
}
