// Reads a BVH with three.js' own loader and prints where its bones are at every frame.
//   node read_bvh.mjs NODE_MODULES FILE.bvh
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, file] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(modules, 'three', path)));
const { AnimationMixer, LoopOnce, Vector3 } = await load('build/three.module.js');
const { BVHLoader } = await load('examples/jsm/loaders/BVHLoader.js');

const { skeleton, clip } = new BVHLoader().parse(readFileSync(file, 'utf8'));
const root = skeleton.bones[0];
const mixer = new AnimationMixer(root);
const action = mixer.clipAction(clip).setLoop(LoopOnce);
action.clampWhenFinished = true;
action.play();

const places = Array.from(clip.tracks[0].times, (time) => {
  mixer.setTime(time);
  root.updateMatrixWorld(true);
  return skeleton.bones.map((bone) => bone.getWorldPosition(new Vector3()).toArray());
});
const names = skeleton.bones.map((bone) => bone.name);
console.log(JSON.stringify({ names, places }));
