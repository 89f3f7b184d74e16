/**
 * What the bundle leaves out or puts off, so that a start reads, compiles and keeps only what it uses
 * (docs/decisions/0020-start-and-memory.md has the figures).
 */
import { readFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { resolve } from "node:path";
import type { Plugin } from "esbuild";

const BUILTIN = "builtin";
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/**
 * Of Node's own modules those that a command may import and never use: loaded by the first call of one of their
 * functions. Their constants are numbers of protocols, the same in every Node, and are written into the bundle.
 */
const AT_FIRST_CALL: ReadonlySet<string> = new Set(["node:child_process", "node:http2", "node:tls"]);

/**
 * Node's own modules by `require` instead of `import`. Node reads every property of a module that is imported, to make
 * exports of them, and `node:http` has properties that load a whole `fetch` when they are read: 15 MiB and 20 ms that a
 * `require` does not cost. It is also only then that a module is loaded when a part that needs it first runs.
 */
export const builtinsByRequire: Plugin = {
  name: "builtins-by-require",
  setup(build) {
    build.onResolve({ filter: /^(node:)?[a-z0-9_/]+$/ }, ({ path, kind }) => {
      if (kind !== "import-statement") return undefined;
      const name = builtinModules.includes(path) ? `node:${path}` : path;
      return name.startsWith("node:") ? { path: name, namespace: BUILTIN, sideEffects: false } : undefined;
    });
    build.onResolve({ filter: /^node:/, namespace: BUILTIN }, ({ path }) => ({ path, external: true }));
    build.onLoad({ filter: /^node:/, namespace: BUILTIN }, ({ path }) => ({
      contents: AT_FIRST_CALL.has(path) ? loadedAtFirstCall(path) : loadedWithItsImporter(path),
      loader: "js",
    }));
  },
};

function builtin(path: string): Readonly<Record<string, unknown>> {
  const found: unknown = process.getBuiltinModule(path);
  if (found === undefined) throw new TypeError(`${path} is no module of this Node`);
  return found as Readonly<Record<string, unknown>>;
}

/** Without reading the properties: some have a price. */
function namesOf(path: string): readonly string[] {
  return Object.keys(Object.getOwnPropertyDescriptors(builtin(path))).filter(
    (name) => IDENTIFIER.test(name) && name !== "default",
  );
}

function loadedWithItsImporter(path: string): string {
  // Marked as free of effects, so that what nobody imports is neither read nor written into the bundle.
  const lines = namesOf(path).map(
    (name) => `const $${name} = /* @__PURE__ */ (() => all.${name})(); export { $${name} as ${name} };`,
  );
  return `const all = require(${JSON.stringify(path)});\nexport default all;\n${lines.join("\n")}`;
}

function loadedAtFirstCall(path: string): string {
  const module = builtin(path);
  const functions = namesOf(path).filter((name) => typeof module[name] === "function");
  const lines = functions.map(
    (name) =>
      `const $${name} = (...given) => require(${JSON.stringify(path)}).${name}(...given); export { $${name} as ${name} };`,
  );
  if (module["constants"] !== undefined)
    lines.push(`export const constants = ${JSON.stringify(module["constants"])};`);
  const all = `export default { ${functions.map((name) => `${name}: $${name}`).join(", ")} };`;
  return `${lines.join("\n")}\n${all}`;
}

/**
 * `import { z }` is one object that holds all of zod, with its messages in fifty languages; as a namespace of the same
 * name esbuild sees which parts are used.
 */
export const zodInParts: Plugin = {
  name: "zod-in-parts",
  setup(build) {
    build.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      if (!source.includes(ZOD)) return undefined;
      return { contents: source.replace(ZOD, 'import * as z from "zod";'), loader: "ts" };
    });
  },
};

const ZOD = 'import { z } from "zod";';

/** All that packages use of `node:assert`, which loads the colouring and comparing of a test runner: half a MiB. */
const ASSERT = `
module.exports = (value, message = "an assertion failed") => {
  if (!value) throw message instanceof Error ? message : new Error(message);
};`;

/** CommonJS modules cannot be divided by what is used of them: what stands here instead of one is what is used. */
const PARTS: Readonly<Record<string, string>> = {
  assert: ASSERT,
  "node:assert": ASSERT,
  // How a host is reached; what goes over the connection has clients of its own.
  undici: `
exports.buildConnector = require("undici/lib/core/connect.js");`,
  // One connection, which is given whole commands: no pools, no Cluster, no Sentinel.
  "@redis/client": `
exports.createClient = require("@redis/client/dist/lib/client/index.js").default.create;
exports.RESP_TYPES = require("@redis/client/dist/lib/RESP/decoder.js").RESP_TYPES;
Object.assign(exports, require("@redis/client/dist/lib/errors.js"));`,
};

/** Files of packages that a bundle has no use for, by the end of their path, and what stands for them. */
const INSTEAD: Readonly<Record<string, string>> = {
  // A method for each of some hundred commands; these three are what a connection itself sends.
  "@redis/client/dist/lib/commands/index.js": `
const AUTH = require("./AUTH.js").default;
const CLIENT_SETNAME = require("./CLIENT_SETNAME.js").default;
const READONLY = require("./READONLY.js").default;
exports.__esModule = true;
exports.NON_STICKY_COMMANDS = exports.default = { AUTH, CLIENT_SETNAME, READONLY };`,
  // Which node of a cluster a command is for: Pillion decides that itself.
  "@redis/client/dist/lib/command-metadata/command-metadata-data.js": "exports.COMMAND_METADATA = {};",
  // Log lines are written here, not in a thread of their own.
  "pino/lib/transport.js": `module.exports = () => { throw new Error("not in this bundle: pino's transports"); };`,
  // Scraped, never pushed; one process, no cluster.
  "prom-client/lib/pushgateway.js": "",
  "prom-client/lib/cluster.js": "",
  // Exemplars of processor time, which are not asked for.
  "@opentelemetry/api/dist/index.cjs": "exports.trace = exports.context = {};",
};

export const partsOfPackages: Plugin = {
  name: "parts-of-packages",
  setup(build) {
    const namespace = "parts";
    const unmet = new Set(Object.keys(INSTEAD));
    for (const [name, contents] of Object.entries(PARTS)) {
      const filter = new RegExp(`^${RegExp.escape(name)}$`);
      build.onResolve({ filter }, () => ({ path: name, namespace }));
      build.onLoad({ filter, namespace }, () => ({ contents, resolveDir: resolve(".") }));
    }
    for (const [file, contents] of Object.entries(INSTEAD)) {
      const filter = new RegExp(
        `[\\\\/]node_modules[\\\\/]${RegExp.escape(file).replaceAll("\\/", "[\\\\/]")}$`,
      );
      build.onLoad({ filter }, () => {
        unmet.delete(file);
        return { contents };
      });
    }
    build.onEnd(() => ({
      errors: [...unmet].map((file) => ({
        text: `${file} is in the bundle no more: its package has changed, look at esbuild.plugins.ts again`,
      })),
    }));
  },
};
