/** Kustomize itself, as people run it: the `kustomize` command, or the one in kubectl. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "./project.ts";

/** The one that is built where neither command is installed. */
const MODULE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1";
const TOOLS_DIRECTORY = join(projectDirectory, "node_modules", ".cache", "tools");

/** Renders a directory with a kustomization; throws with Kustomize's own words. */
export function kustomizeBuild(directory: string): string {
  const command = findKustomize();
  if (command === undefined) throw new Error("Install kustomize, or a kubectl of 1.25 or newer.");
  const { status, stdout, stderr } = run([...command, directory]);
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** Builds Kustomize with Go, in about a minute, where no such command is there. Returns whether there is one now. */
export function provideKustomize(): boolean {
  if (findKustomize() !== undefined) return true;
  mkdirSync(TOOLS_DIRECTORY, { recursive: true });
  spawnSync("go", ["install", "-trimpath", MODULE], {
    timeout: 600_000,
    stdio: "inherit",
    env: { ...process.env, GOBIN: TOOLS_DIRECTORY, CGO_ENABLED: "0" },
  });
  return findKustomize() !== undefined;
}

/** The command line to put a directory behind. */
function findKustomize(): readonly string[] | undefined {
  for (const kustomize of ["kustomize", join(TOOLS_DIRECTORY, "kustomize")]) {
    if (/^v?[5-9]\./.test(run([kustomize, "version"]).stdout ?? "")) return [kustomize, "build"];
  }
  // Older ones either do not say which Kustomize they contain or contain one that knows no components.
  const { stdout } = run(["kubectl", "version", "--client", "--output=json"]);
  return /"kustomizeVersion":\s*"v[4-9]\./.test(stdout ?? "") ? ["kubectl", "kustomize"] : undefined;
}

/** `stdout` is null where there is no such command. */
function run([command = "", ...rest]: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(command, rest, { encoding: "utf8", timeout: 60_000 });
}
