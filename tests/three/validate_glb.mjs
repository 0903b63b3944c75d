// Prints what Khronos' validator says of a GLB.
//   node validate_glb.mjs NODE_MODULES FILE.glb
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [modules, file] = process.argv.slice(2);
const validator = createRequire(join(modules, 'x.js'))('gltf-validator');
const report = await validator.validateBytes(new Uint8Array(readFileSync(file)));
console.log(JSON.stringify(report));
