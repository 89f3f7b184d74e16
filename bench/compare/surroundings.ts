/** What all proxies of a run have in common: a token and who gives it, certificates, the origin. */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCertificates } from "../../test/support/certificates.ts";
import { originCommand } from "./origin.ts";
import type { Processes } from "./processes.ts";
import type { Scheme, Setting } from "./setting.ts";
import { firstAnswer, freePort } from "./started.ts";
import { startTokenServer } from "./token-server.ts";

export interface Surroundings {
  readonly directory: string;
  readonly token: string;
  setting(scheme: Scheme): Omit<Setting, "port" | "directory">;
  /** The origin itself, for what a proxy adds to it. TLS is what the proxies are there for, so it is always plain. */
  readonly directUrl: string;
  close(): Promise<void>;
  /** Its files alone, at once; for the end of this process. */
  remove(): void;
}

/** 800 characters of base64url, as long as a JSON Web Token of the providers. */
const TOKEN_BYTES = 600;

export interface SurroundingsOptions {
  /** Of the large body. */
  readonly bodyBytes: number;
}

export async function createSurroundings(
  processes: Processes,
  { bodyBytes }: SurroundingsOptions,
): Promise<Surroundings> {
  const directory = mkdtempSync(join(tmpdir(), "pillion-bench-"));
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  const { caFile, server } = createCertificates(join(directory, "certificates"));
  const tokenServer = await startTokenServer(token);
  const originFolder = join(directory, "origin");
  mkdirSync(originFolder);
  const [plainPort, tlsPort] = [await freePort(), await freePort()];
  const command = originCommand({
    directory: originFolder,
    plainPort,
    tlsPort,
    token,
    certificate: server,
    bodyBytes,
  });
  const origin = processes.start("client", command);
  await firstAnswer("the origin", origin, plainPort, "/api/json", `Bearer ${token}`);
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  return {
    directory,
    token,
    directUrl: `http://127.0.0.1:${plainPort}/api/json`,
    setting: (scheme) => ({
      scheme,
      originPort: scheme === "https" ? tlsPort : plainPort,
      caFile,
      token,
      tokenUrl: tokenServer.url,
    }),
    async close() {
      await origin.stop();
      tokenServer.close();
      remove();
    },
    remove,
  };
}
