/** What every benchmark needs: certificates, a token, an origin with a token endpoint; all gone when it is done. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificates, createCertificates } from "../test/support/certificates.ts";
import { announcedJson, type Child, startChild } from "./child.ts";
import type { StartOptions, Upstream } from "./contenders.ts";

export type Scheme = "http" | "https";

export interface Testbed {
  /** Starts an origin of that scheme and says what a contender needs to know of it. */
  startOptions(scheme: Scheme, pillion: string): Promise<StartOptions>;
  /** Ends with the testbed. */
  adopt(child: Child): void;
  close(): Promise<void>;
}

/** As long as a JSON Web Token of the providers. */
const TOKEN_BYTES = 600;

export function createTestbed(): Testbed {
  const directory = mkdtempSync(join(tmpdir(), "pillion-bench-"));
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  const children: Child[] = [];
  let certificates: Certificates | undefined;

  async function startOrigin(scheme: Scheme): Promise<Upstream> {
    if (scheme === "https") certificates ??= createCertificates(join(directory, "certificates"));
    const server = scheme === "https" ? certificates?.server : undefined;
    const { child, announced } = await startChild({
      core: "rest",
      args: [
        join(import.meta.dirname, "origin.ts"),
        ...(server === undefined ? [] : [`--cert=${server.certFile}`, `--key=${server.keyFile}`]),
      ],
      env: { BENCH_TOKEN: token },
      ready: announcedJson<{ port: number; tokenPort: number }>,
    });
    children.push(child);
    return {
      url: `${scheme}://127.0.0.1:${announced.port}`,
      tokenUrl: `http://127.0.0.1:${announced.tokenPort}/oauth2/token`,
      caFile: scheme === "https" ? certificates?.caFile : undefined,
    };
  }

  return {
    async startOptions(scheme, pillion) {
      return { upstream: await startOrigin(scheme), token, directory, pillion };
    },
    adopt(child) {
      children.push(child);
    },
    async close() {
      await Promise.all(children.map((child) => child.stop()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
