// Lists what engines, browsers and Node bring, for names.json: `node list_names.js NODE_MODULES > names.json`. Names only: globals,
// the members of the standard objects and of their prototypes, the exports of the built-in modules, and the members that the
// declarations in NODE_MODULES (typescript's own, @types/node, @types/chai) name.
const fs = require('fs');
const path = require('path');
const own = (value) => Object.getOwnPropertyNames(value);
const STATIC = 'Array ArrayBuffer Atomics BigInt Date Error Intl JSON Map Math Number Object Promise Proxy Reflect RegExp Set String Symbol console'.split(' ');
const INSTANCES = 'Array Boolean Date Error Function Map Number Promise RegExp Set String WeakMap WeakSet'.split(' ');
const CLASSES = { EventEmitter: 'events', Readable: 'stream', Writable: 'stream', Duplex: 'stream', Transform: 'stream', PassThrough: 'stream' };
const all = (value) => (value ? [...own(value), ...all(Object.getPrototypeOf(value))] : []);
const table = { globals: [...own(globalThis), 'require', 'module', 'exports', '__dirname', '__filename'], statics: {}, instances: {}, modules: {} };
for (const name of STATIC) table.statics[name] = [...own(globalThis[name]), ...own(Function.prototype), ...own(Object.prototype)];
for (const name of INSTANCES) table.instances[name] = [...own(globalThis[name].prototype), ...own(Object.prototype)];
for (const [name, from] of Object.entries(CLASSES)) table.instances[name] = all(require(from)[name].prototype);
for (const name of require('module').builtinModules) {
  if (!name.startsWith('_')) table.modules[name] = [...own(require(name)), 'default'];
}
const tidy = (names) => [...new Set(names)].sort();
const each = (group) => Object.fromEntries(Object.entries(group).sort().map(([name, names]) => [name, tidy(names)]));
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/.*/g;
const MEMBER = /^\s+(?:readonly |static |get |set |export |declare |function |const |class |interface )*([A-Za-z_$][\w$]*)\??\s*[(:<]/gm;
const files = (folder) => fs.readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.d.ts'));
const declared = (folder) =>
  files(folder).flatMap((name) => [...fs.readFileSync(path.join(folder, name), 'utf8').replace(COMMENT, '').matchAll(MEMBER)].map((m) => m[1]));
const lib = path.join(process.argv[2], 'typescript', 'lib');
const standard = fs.readdirSync(lib).filter((name) => /^lib\..*\.d\.ts$/.test(name));
const members = [
  ...standard.flatMap((name) => [...fs.readFileSync(path.join(lib, name), 'utf8').replace(COMMENT, '').matchAll(MEMBER)].map((m) => m[1])),
  ...['node', 'chai'].flatMap((name) => declared(path.join(process.argv[2], '@types', name))),
];
const { globals, statics, instances, modules } = table;
console.log(JSON.stringify({ globals: tidy(globals), statics: each(statics), instances: each(instances), modules: each(modules), members: tidy(members) }));
