/** The one-file bundle, built anew from the sources into a folder of its own, where nothing is installed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectDirectory } from "./project.ts";

export interface BuiltBundle {
  /** Absolute path of `pillion.js`. */
  readonly file: string;
  /** Absolute path of the folder. */
  readonly directory: string;
  readonly text: string;
  remove(): void;
}

/** @throws what the build complained of */
export function buildBundle(): BuiltBundle {
  const directory = mkdtempSync(join(tmpdir(), "pillion-built-"));
  const built = spawnSync(process.execPath, ["esbuild.config.ts", "--outdir", directory], {
    cwd: projectDirectory,
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(`the bundle is not built:\n${built.stderr}`);
  // As in the package and in the image: Node need not guess what kind of module it is.
  writeFileSync(join(directory, "package.json"), JSON.stringify({ type: "module" }));
  const file = join(directory, "pillion.js");
  return {
    file,
    directory,
    text: readFileSync(file, "utf8"),
    remove: () => rmSync(directory, { recursive: true }),
  };
}
