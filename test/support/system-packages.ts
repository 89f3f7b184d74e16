/**
 * The commands outside the project that tests run, and the Debian package each comes from. Run before the tests:
 * installs what is missing where it may, else says what to do.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { provideKustomize } from "./kustomize.ts";

interface SystemPackage {
  readonly command: string;
  readonly debianPackage: string;
  readonly reason: string;
  /** Installed where that can be done; the tests that need it are left out where it is missing. */
  readonly optional?: true;
}

export const systemPackages: readonly SystemPackage[] = [
  {
    command: "openssl",
    debianPackage: "openssl",
    reason: "makes the throwaway certificates of the TLS tests",
  },
  {
    command: "faketime",
    debianPackage: "faketime",
    reason: "turns a process's wall clock in the tests of time",
    optional: true,
  },
  {
    command: "redis-server",
    debianPackage: "redis-server",
    reason: "the store that replicas share, for the tests of sessions",
  },
  {
    command: "chromium",
    debianPackage: "chromium",
    reason: "the browser that signs in, in the test of the demo",
  },
  {
    command: "prometheus",
    debianPackage: "prometheus",
    reason: "scrapes and raises the alerts in their end-to-end test",
  },
  {
    command: "promtool",
    debianPackage: "prometheus",
    reason: "the tests of the recording and alerting rules",
  },
  {
    command: "zsh",
    debianPackage: "zsh",
    reason: "runs its completions",
    optional: true,
  },
  {
    command: "fish",
    debianPackage: "fish",
    reason: "runs its completions",
    optional: true,
  },
  {
    command: "systemd-analyze",
    debianPackage: "systemd",
    reason: "judges the unit of config/systemd",
    optional: true,
  },
  {
    command: "nginx",
    debianPackage: "nginx",
    reason: "the origin of the benchmark, which a test tries out",
    optional: true,
  },
  {
    command: "wrk",
    debianPackage: "wrk",
    reason: "the client of the benchmark, which a test tries out",
    optional: true,
  },
  { command: "curl", debianPackage: "curl", reason: "a client that is not Node, for the end-to-end tests" },
];

/** The packages whose command is in none of the directories of `path`. */
export function missingPackages(packages: readonly SystemPackage[], path: string): readonly SystemPackage[] {
  const directories = path.split(delimiter).filter((directory) => directory !== "");
  return packages.filter(
    ({ command }) => !directories.some((directory) => isExecutable(join(directory, command))),
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function install(packages: readonly SystemPackage[]): void {
  const names = debianNames(packages);
  // A mirror that cannot be reached must not hold the tests up for long.
  const options = {
    timeout: 120_000,
    stdio: "inherit",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  } as const;
  spawnSync("apt-get", ["update", "-qq"], options);
  spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], options);
}

function debianNames(packages: readonly SystemPackage[]): readonly string[] {
  return [...new Set(packages.map((each) => each.debianPackage))];
}

function main(): void {
  const path = process.env["PATH"] ?? "";
  let missing = missingPackages(systemPackages, path);
  const aptGet: SystemPackage = { command: "apt-get", debianPackage: "apt", reason: "" };
  const mayInstall = process.getuid?.() === 0 && missingPackages([aptGet], path).length === 0;
  if (missing.length > 0 && mayInstall) {
    install(missing);
    missing = missingPackages(systemPackages, path);
  }
  // Debian's stable kubectl is too old to know components, so Kustomize is no package of the list.
  if (!provideKustomize()) {
    console.error(
      "missing: kustomize (renders config/kubernetes); install it, or kubectl, or Go to build it",
    );
    if (process.env["CI"] === "true") process.exitCode = 1;
  }
  if (missing.length === 0) return;
  for (const { command, reason } of missing) console.error(`missing: ${command} (${reason})`);
  console.error(`Install with: sudo apt-get install ${debianNames(missing).join(" ")}`);
  // By hand one may go on and see the tests that need it fail; an automatic run has nobody to read a warning.
  const needed = missing.some(({ optional }) => optional !== true);
  if (process.env["CI"] === "true" && needed) process.exitCode = 1;
}

if (import.meta.main) main();
