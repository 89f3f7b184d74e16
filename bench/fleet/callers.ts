/** Those who ask the sidecars, and what they saw. */
import { performance } from "node:perf_hooks";
import { Pool } from "undici";
import type { Sidecar } from "./processes.ts";
import type { Provider } from "./provider.ts";

export interface Caller {
  /** One request; false: it was not answered with the tenant's own token. */
  ask(tenant: string): Promise<boolean>;
  close(): Promise<void>;
}

/** What all callers of a scenario saw. */
export interface Seen {
  requests: number;
  /** By status, or by what became of it: what is not a 200 with the tenant's own token. */
  readonly failures: Map<string, number>;
  /** Of good answers. */
  readonly waitsMs: number[];
  /** Good answers: from when both the request and its token were there, first and last by token. */
  readonly handOversMs: number[];
  readonly servedByToken: Map<string, { firstMs: number; lastMs: number }>;
}

export function createSeen(): Seen {
  return { requests: 0, failures: new Map(), waitsMs: [], handOversMs: [], servedByToken: new Map() };
}

const CONNECTIONS = 64;

export function createCaller({ origin }: Sidecar, seen: Seen, provider: Provider): Caller {
  const pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1 });
  const fail = (why: string): false => {
    seen.failures.set(why, (seen.failures.get(why) ?? 0) + 1);
    return false;
  };
  return {
    async ask(tenant) {
      const askedMs = performance.now();
      seen.requests += 1;
      let status: number;
      let text: string;
      try {
        const answer = await pool.request({ path: `/api/${tenant}/echo`, method: "GET" });
        status = answer.statusCode;
        text = await answer.body.text();
      } catch {
        return fail("no answer");
      }
      const nowMs = performance.now();
      if (status !== 200) return fail(String(status));
      const digest = tokenDigestOf(text);
      const token = provider.find(digest);
      if (token?.tenant !== tenant) return fail("another tenant's token");
      seen.waitsMs.push(nowMs - askedMs);
      const handOverMs = nowMs - Math.max(askedMs, token.issuedMs);
      seen.handOversMs.push(handOverMs);
      const served = seen.servedByToken.get(digest) ?? { firstMs: handOverMs, lastMs: 0 };
      served.firstMs = Math.min(served.firstMs, handOverMs);
      served.lastMs = Math.max(served.lastMs, handOverMs);
      seen.servedByToken.set(digest, served);
      return true;
    },
    close: () => pool.destroy(),
  };
}

/** Of the request that `/echo` tells of, see `src/emulator/reflection.ts`. */
function tokenDigestOf(echo: string): string {
  return /\["authorization","Bearer \(\d+ characters, sha256 ([0-9a-f]{12})\)"\]/i.exec(echo)?.[1] ?? "";
}

/** Every tenant once, as many at a time as there are connections. */
export async function askAll(caller: Caller, tenants: readonly string[]): Promise<void> {
  const left = [...tenants];
  const work = async (): Promise<void> => {
    for (let tenant = left.shift(); tenant !== undefined; tenant = left.shift()) await caller.ask(tenant);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
}
