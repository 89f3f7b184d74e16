/** The peers that are Node programs: `bench/peers/*.ts`. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Contender, originOf } from "./setting.ts";

const peersDirectory = join(import.meta.dirname, "..", "peers");

/** The folders that Node looks for a package in, from `bench/peers`; the product's own dependencies come second. */
const MODULES = [join(peersDirectory, "node_modules"), join(import.meta.dirname, "..", "..", "node_modules")];

function installedVersion(name: string): string | undefined {
  const manifest = MODULES.map((folder) => join(folder, name, "package.json")).find((file) =>
    existsSync(file),
  );
  if (manifest === undefined) return undefined;
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}

interface NodePeer {
  readonly name: string;
  readonly file: string;
  /** The package it shows. */
  readonly shows: string;
  readonly flags?: readonly string[];
}

function nodePeer({ name, file, shows, flags = [] }: NodePeer): Contender {
  return {
    name,
    find() {
      const version = installedVersion(shows);
      if (version === undefined) return `${shows} is not installed in bench/peers`;
      return {
        version,
        command(setting) {
          const tls = setting.scheme === "https" ? [`--ca=${setting.caFile}`] : [];
          return {
            argv: [
              process.execPath,
              "--no-deprecation",
              join(peersDirectory, file),
              `--upstream=${originOf(setting)}`,
              `--port=${setting.port}`,
              ...tls,
              ...flags,
            ],
            env: { BENCH_TOKEN: setting.token, NODE_ENV: "production" },
          };
        },
      };
    },
  };
}

export const nodePeers: readonly Contender[] = [
  { name: "http-proxy", file: "http-proxy.ts", shows: "http-proxy" },
  { name: "http-proxy+agent", file: "http-proxy.ts", shows: "http-proxy", flags: ["--keep-alive"] },
  { name: "http-proxy-3", file: "http-proxy-3.ts", shows: "http-proxy-3" },
  { name: "reply-from", file: "reply-from.ts", shows: "@fastify/reply-from" },
].map(nodePeer);
