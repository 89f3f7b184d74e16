import { readFileSync } from "node:fs";
import { join } from "node:path";

/** How the image starts Node, so that nothing else is ever measured. */
export interface ImageSettings {
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** The flags of `ENTRYPOINT` and what `ENV` of the last stage sets, paths inside the image left out. */
export function imageSettings(): ImageSettings {
  const dockerfile = readFileSync(join(import.meta.dirname, "..", "Dockerfile"), "utf8");
  const stage = dockerfile.slice(dockerfile.lastIndexOf("\nFROM "));
  const entry = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(stage)?.[1] ?? "[]") as string[];
  const assignments = /^ENV ((?:.*\\\n)*.*)$/m.exec(stage)?.[1] ?? "";
  const pairs = [...assignments.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name = "", value = ""]) => [
    name,
    value,
  ]);
  return {
    flags: entry.filter((each) => each.startsWith("--")),
    environment: Object.fromEntries(pairs.filter(([, value]) => value?.startsWith("/") !== true)),
  };
}
