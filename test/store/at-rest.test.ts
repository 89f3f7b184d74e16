import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Vault } from "../../src/store/vault.ts";
import { formsOf } from "../support/canaries.ts";
import { startRedisServer } from "../support/redis-server.ts";
import { createVaultBed, redisConfig } from "./vaults.ts";

const canary = (): string => randomBytes(32).toString("base64url");

/** What a session of a visitor holds, and what names it. */
async function writeCanaries(vault: Vault): Promise<readonly string[]> {
  const canaries: string[] = [];
  for (let count = 0; count < 20; count += 1) {
    const [id, access, refresh, state] = [canary(), canary(), canary(), canary()];
    canaries.push(id, access, refresh, state);
    const expiresAtMs = Date.now() + 3_600_000;
    const options = { expiresAtMs, class: { name: "signed-in", limit: 100 }, credentials: ["user"] };
    await vault.write("session", id, { access_token: access, refresh_token: refresh }, options);
    await vault.write("login", state, { verifier: refresh, session: id }, { expiresAtMs });
    await vault.lock("session", id, 60_000);
  }
  return canaries;
}

/** Those of them that a text of latin1 holds in any form: plain, base64, hexadecimal, URL-encoded. */
function found(raw: Buffer, canaries: readonly string[]): readonly string[] {
  const text = raw.toString("latin1");
  return canaries.filter((value) => {
    // Also the bytes that base64url stands for.
    const bytes = Buffer.from(value, "base64url");
    return (
      raw.includes(bytes) ||
      text.includes(bytes.toString("hex")) ||
      formsOf(value).some((form) => text.includes(form))
    );
  });
}

describe("at rest", () => {
  const directory = mkdtempSync(join(tmpdir(), "pillion-rest-"));
  afterAll(() => rmSync(directory, { recursive: true }));

  it("the search finds what lies open", () => {
    const value = canary();
    for (const form of [value, Buffer.from(value, "base64url"), Buffer.from(value).toString("hex")]) {
      expect(found(Buffer.concat([Buffer.alloc(9, 0xff), Buffer.from(form)]), [value])).toEqual([value]);
    }
  });

  it("SQLite's files hold nothing readable and are their owner's alone, while it runs and afterwards", async () => {
    const bed = createVaultBed();
    const file = join(directory, "new", "deep", "sessions.db");
    const vault = await bed.vault({ kind: "sqlite", file, encryptionKeys: bed.keys });
    const canaries = [...(await writeCanaries(vault)), bed.env.get("KEY")?.reveal() ?? ""];
    const judge = (names: readonly string[]): void => {
      expect(readdirSync(join(directory, "new", "deep")).sort()).toEqual(names);
      for (const name of names) {
        const path = join(directory, "new", "deep", name);
        expect(statSync(path).mode & 0o777).toBe(0o600);
        expect(found(readFileSync(path), canaries)).toEqual([]);
      }
    };
    judge(["sessions.db", "sessions.db-shm", "sessions.db-wal"]);
    await vault.close();
    judge(["sessions.db"]);
    expect(statSync(join(directory, "new", "deep")).mode & 0o777).toBe(0o700);
  });

  it("Redis holds nothing readable, and no key for ever", async () => {
    await using server = await startRedisServer();
    const bed = createVaultBed();
    const vault = await bed.vault(redisConfig(server.url, bed.keys));
    const canaries = [...(await writeCanaries(vault)), bed.env.get("KEY")?.reveal() ?? ""];
    const keys = (await server.command("KEYS", "*")) as readonly Buffer[];
    expect(keys.length).toBe(20 * 3 + 3);
    for (const key of keys) {
      const name = key.toString();
      const type = String(await server.command("TYPE", name));
      const value = type === "zset" ? server.command("ZRANGE", name, "0", "-1") : server.command("GET", name);
      const raw = [key, await value].flat().map((part) => (Buffer.isBuffer(part) ? part : Buffer.alloc(0)));
      expect(found(Buffer.concat(raw), canaries)).toEqual([]);
      expect(name).toMatch(/^pillion:/);
      expect(await server.command("PTTL", name), name).toBeGreaterThan(0);
    }
    expect(found(Buffer.from(bed.lines.join("\n")), canaries)).toEqual([]);
    await vault.close();
  });
});
