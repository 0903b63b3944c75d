// Opens a GLB as an avatar of VRM and as a motion of VRM with pixiv's readers and prints what they
// found: the bones of the avatar, and where they are when the motion plays on it.
//   node read_vrm.mjs NODE_MODULES FILE.glb
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

globalThis.self = globalThis; // the loader looks for a browser's
const [modules, file] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(modules, path)));
const { AnimationMixer, LoopOnce, Vector3 } = await load('three/build/three.module.js');
const { GLTFLoader } = await load('three/examples/jsm/loaders/GLTFLoader.js');
const { VRMLoaderPlugin } = await load('@pixiv/three-vrm/lib/three-vrm.module.js');
const animated = await load('@pixiv/three-vrm-animation/lib/three-vrm-animation.module.js');

const data = readFileSync(file);
const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
const loader = new GLTFLoader();
loader.register((parser) => new VRMLoaderPlugin(parser));
loader.register((parser) => new animated.VRMAnimationLoaderPlugin(parser));
const { vrm, vrmAnimations } = (await loader.parseAsync(bytes, '')).userData;
const clip = animated.createVRMAnimationClip(vrmAnimations[0], vrm);
const mixer = new AnimationMixer(vrm.scene);
const action = mixer.clipAction(clip).setLoop(LoopOnce);
action.clampWhenFinished = true;
action.play();

const names = Object.keys(vrm.humanoid.humanBones);
const times = Array.from(clip.tracks[0].times);
const places = times.map((time) => {
  mixer.setTime(time);
  vrm.update(0);
  vrm.scene.updateMatrixWorld(true);
  return names.map((n) => vrm.humanoid.getRawBoneNode(n).getWorldPosition(new Vector3()).toArray());
});
console.log(JSON.stringify({ version: vrm.meta.metaVersion, names, times, places }));
