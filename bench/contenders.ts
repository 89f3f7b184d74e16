/** The proxies that are compared, each a process of its own that injects the same bearer token. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { announcedJson, type Child, startChild } from "./child.ts";

export interface Upstream {
  readonly url: string;
  readonly tokenUrl: string;
  /** PEM of its certificate authority; undefined for a plain upstream. */
  readonly caFile: string | undefined;
}

export interface StartOptions {
  readonly upstream: Upstream;
  readonly token: string;
  /** Where Pillion's configuration may be written. */
  readonly directory: string;
  /** Pillion's entry: from the checkout, or a built file. */
  readonly pillion: string;
}

export interface RunningContender {
  readonly child: Child;
  /** What to put before `/api/…`. */
  readonly origin: string;
}

export interface Contender {
  readonly name: string;
  start(options: StartOptions): Promise<RunningContender>;
}

function peer(name: string, file: string, flags: readonly string[] = []): Contender {
  return {
    name,
    async start({ upstream, token }) {
      const tls = upstream.caFile === undefined ? [] : [`--ca=${upstream.caFile}`];
      const { child, announced } = await startChild({
        core: "proxy",
        args: [
          "--no-deprecation",
          join(import.meta.dirname, "peers", file),
          `--upstream=${upstream.url}`,
          ...tls,
          ...flags,
        ],
        env: { BENCH_TOKEN: token },
        ready: announcedJson<{ port: number }>,
      });
      return { child, origin: `http://127.0.0.1:${announced.port}` };
    },
  };
}

/** The route's prefix and the upstream's path are the same, so every contender is asked for the same URL. */
function configuration({ upstream }: StartOptions): string {
  const tls = upstream.caFile === undefined ? "" : `    tls: { ca: ${JSON.stringify(upstream.caFile)} }\n`;
  return `listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: { format: json }
credentials:
  bench:
    provider: oauth2
    token_url: ${upstream.tokenUrl}
    client_id: bench
    client_secret: { env: BENCH_CLIENT_SECRET }
routes:
  - name: bench
    path: /api/
    upstream: ${upstream.url}/api/
    credential: bench
${tls}`;
}

export const pillion: Contender = {
  name: "pillion",
  async start(options) {
    const file = join(
      options.directory,
      `pillion-${options.upstream.caFile === undefined ? "plain" : "tls"}.yaml`,
    );
    writeFileSync(file, configuration(options));
    const { child, announced } = await startChild({
      core: "proxy",
      args: [options.pillion, "run", "--config", file],
      env: { BENCH_CLIENT_SECRET: "not-a-secret", NODE_ENV: "production" },
      ready: listening,
    });
    return { child, origin: `http://${announced}` };
  },
};

/** `{"event":"listening","listen":"127.0.0.1:PORT",…}` */
function listening(line: string): string | undefined {
  if (!line.includes('"event":"listening"')) return undefined;
  return announcedJson<{ listen: string }>(line)?.listen;
}

export const contenders: readonly Contender[] = [
  peer("http-proxy 1.18.1", "http-proxy.ts"),
  peer("http-proxy 1.18.1 + keep-alive", "http-proxy.ts", ["--keep-alive"]),
  peer("http.request + keep-alive", "http-request.ts"),
  pillion,
];
