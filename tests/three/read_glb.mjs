// Reads a GLB with three.js' own loader and prints where its nodes are at every frame, and how
// far the skin reaches in the first one.
//   node read_glb.mjs NODE_MODULES FILE.glb
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

globalThis.self = globalThis; // the loader looks for a browser's
const [modules, file] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(modules, 'three', path)));
const { AnimationMixer, Box3, LoopOnce, Vector3 } = await load('build/three.module.js');
const { GLTFLoader } = await load('examples/jsm/loaders/GLTFLoader.js');

const data = readFileSync(file);
const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
const { scene, animations } = await new GLTFLoader().parseAsync(bytes, '');
const mixer = new AnimationMixer(scene);
const action = mixer.clipAction(animations[0]).setLoop(LoopOnce);
action.clampWhenFinished = true;
action.play();

const skins = [];
scene.traverse((node) => node.isSkinnedMesh && skins.push(node));
const { bones } = skins[0].skeleton;
const times = Array.from(animations[0].tracks[0].times);
const skin = new Box3();
const places = times.map((time, frame) => {
  mixer.setTime(time);
  scene.updateMatrixWorld(true);
  if (frame === 0) {
    for (const mesh of skins) {
      const { count } = mesh.geometry.attributes.position;
      for (let i = 0; i < count; i++) skin.expandByPoint(mesh.getVertexPosition(i, new Vector3()));
    }
  }
  return bones.map((bone) => bone.getWorldPosition(new Vector3()).toArray());
});
const reach = [skin.min.toArray(), skin.max.toArray()];
console.log(JSON.stringify({ names: bones.map((bone) => bone.name), times, places, reach }));
