import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How a process can be shut in on this machine. */
export interface Confinement {
  /** What is put before its command line. */
  readonly command: readonly string[];
  /** Who it is then. */
  readonly uid: number;
  /** Its effective capabilities, as /proc shows them. */
  readonly capabilities: string;
}

const NOBODY = "65532";

const withoutPrivileges = [
  "setpriv",
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  "--clear-groups",
  "--bounding-set=-all",
  "--inh-caps=-all",
  "--no-new-privs",
];
/** A mount namespace of its own, in which the root cannot be written to. */
const readOnlyRoot = ["unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"];

/** The strictest first: what a tester may do depends on who runs the tests, and in which container. */
const CANDIDATES: readonly (readonly string[])[] = [
  [...readOnlyRoot, ...withoutPrivileges],
  withoutPrivileges,
  ["setpriv", "--no-new-privs"],
  [],
];

const PROBE = `
const { readFileSync } = require("node:fs");
readFileSync(process.argv[1]);
const capabilities = /^CapEff:\\s+(\\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))[1];
console.log(JSON.stringify({ uid: process.getuid(), capabilities }));`;

/** The strictest confinement under which Node runs here and can read the product. */
export function findConfinement(): Confinement {
  const entry = fileURLToPath(new URL("../../cmd/pillion.ts", import.meta.url));
  for (const command of CANDIDATES) {
    const [file = "", ...args] = [...command, process.execPath, "-e", PROBE, entry];
    const { status, stdout } = spawnSync(file, args, { encoding: "utf8" });
    if (status === 0) return { command, ...(JSON.parse(stdout) as Omit<Confinement, "command">) };
  }
  throw new Error("Node does not run here");
}
