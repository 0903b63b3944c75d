// Converts a file to GLB with Open Asset Import Library and prints it in base64.
//   node convert_with_assimp.mjs NODE_MODULES FILE.fbx
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

const [modules, file] = process.argv.slice(2);
const assimp = await createRequire(join(modules, 'x.js'))('assimpjs')();
const files = new assimp.FileList();
files.AddFile(basename(file), new Uint8Array(readFileSync(file)));
const made = assimp.ConvertFileList(files, 'glb2');
if (!made.IsSuccess()) throw new Error(made.GetErrorCode());
console.log(JSON.stringify({ glb: Buffer.from(made.GetFile(0).GetContent()).toString('base64') }));
