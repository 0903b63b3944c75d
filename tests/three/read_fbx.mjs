// Reads an FBX with three.js' own loader and prints where its bones are at every frame, in
// centimetres.
//   node read_fbx.mjs NODE_MODULES FILE.fbx
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

globalThis.self = globalThis; // the loader looks for a browser's
globalThis.window = { innerWidth: 1, innerHeight: 1 }; // for the camera
const [modules, file] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(modules, 'three', path)));
const { AnimationMixer, LoopOnce, Vector3 } = await load('build/three.module.js');
const { FBXLoader } = await load('examples/jsm/loaders/FBXLoader.js');

const data = readFileSync(file);
const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
const scene = new FBXLoader().parse(bytes, '');
const [clip] = scene.animations;
const mixer = new AnimationMixer(scene);
const action = mixer.clipAction(clip).setLoop(LoopOnce);
action.clampWhenFinished = true;
action.play();

const bones = [];
scene.traverse((node) => node.isBone && bones.push(node));
const times = Array.from(clip.tracks[0].times);
const places = times.map((time) => {
  mixer.setTime(time);
  scene.updateMatrixWorld(true);
  return bones.map((bone) => bone.getWorldPosition(new Vector3()).toArray());
});
const names = bones.map((bone) => bone.userData.originalName ?? bone.name);
console.log(JSON.stringify({ names, times, places }));
