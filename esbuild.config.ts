/**
 * Builds what is published: `dist/pillion.js`, the command line with all its dependencies in one file, and
 * `dist/index.js`, the library entry, whose dependencies stay outside.
 *
 *     node esbuild.config.ts [--outdir DIR]        (default: dist)
 */
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type BuildOptions, build, type Metafile } from "esbuild";
import { builtinsByRequire, partsOfPackages, zodInParts } from "./esbuild.plugins.ts";
import { nodeVersionFault } from "./src/core/node-version.ts";

const { values } = parseArgs({ options: { outdir: { type: "string", default: "dist" } } });
const outdir = values.outdir;

const shared = {
  bundle: true,
  platform: "node",
  format: "esm",
  // What the CLI runs on is Node 24 and later. The syntax is held back to what older releases can parse, because a
  // release that cannot parse the file never reaches the check that tells its user what to do.
  target: "es2022",
  // One byte a character: of a file with any other V8 keeps two for each.
  charset: "ascii",
  legalComments: "none",
  logLevel: "warning",
} satisfies BuildOptions;

/**
 * Without comments and indentation, but with every name and with short lines: a stack trace from the field has to be
 * readable. Shorter names and rewritten syntax make a smaller file that V8 takes longer to read
 * (docs/decisions/0020-start-and-memory.md).
 */
const small = { minifyWhitespace: true, lineLimit: 300 } satisfies BuildOptions;

/** Modules that are CommonJS inside the bundle look for `require` and the two paths that only CommonJS has. */
const banner = [
  `import { createRequire as __pillionCreateRequire } from "node:module";`,
  `import { fileURLToPath as __pillionFileUrlToPath } from "node:url";`,
  `const __pillionNodeFault = (${nodeVersionFault})(process.versions.node);`,
  `if (__pillionNodeFault !== undefined) { process.stderr.write("pillion: " + __pillionNodeFault + "\\n"); process.exit(2); }`,
  `const require = __pillionCreateRequire(import.meta.url);`,
  `const __filename = __pillionFileUrlToPath(import.meta.url);`,
  `const __dirname = __pillionFileUrlToPath(new URL(".", import.meta.url));`,
].join("\n");

/** Packages that name their licence but leave its text in their repository, and who holds their copyright. */
const HOLDERS: Readonly<Record<string, string>> = {
  "@redis/client": "2022-2025, Redis, inc.",
};

function licenceWithoutFile(name: string, licence: string): string | undefined {
  const holder = HOLDERS[name];
  if (holder === undefined || licence !== "MIT") return undefined;
  return `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
}

/** The licences of the packages inside a bundle ask for their texts to travel with it. */
async function thirdPartyLicences(metafile: Metafile): Promise<string> {
  const packages = new Set<string>();
  for (const input of Object.keys(metafile.inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match?.[1] !== undefined) packages.add(match[1]);
  }
  const sections = [...packages].sort().map(async (directory) => {
    const manifest: unknown = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
    const { name, version, license } = manifest as Record<"name" | "version" | "license", string>;
    const file = (await readdir(directory)).find((entry) => /^(licen[cs]e|copying)(\.|$)/i.test(entry));
    const text =
      file === undefined
        ? (licenceWithoutFile(name, license) ?? "(no licence file in the package)")
        : await readFile(join(directory, file), "utf8");
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  return (await Promise.all(sections)).join(`\n${"-".repeat(78)}\n\n`);
}

const cli = await build({
  ...shared,
  entryPoints: ["cmd/pillion.ts"],
  outfile: join(outdir, "pillion.js"),
  ...small,
  banner: { js: banner },
  metafile: true,
  plugins: [builtinsByRequire, zodInParts, partsOfPackages],
});
await chmod(join(outdir, "pillion.js"), 0o755);
await writeFile(join(outdir, "THIRD-PARTY-LICENSES.txt"), await thirdPartyLicences(cli.metafile));

await build({
  ...shared,
  entryPoints: ["src/index.ts"],
  outfile: join(outdir, "index.js"),
  packages: "external",
  target: "node24",
});
