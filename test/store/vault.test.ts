import { randomBytes } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError } from "../../src/config/fault.ts";
import { Secret } from "../../src/core/secret.ts";
import { StoreUnavailable } from "../../src/store/store.ts";
import type { Vault } from "../../src/store/vault.ts";
import { createVaultBed, type VaultBed } from "./vaults.ts";

const A = "A".repeat(43);
const B = "B".repeat(43);

describe("the vault", () => {
  let directory: string;
  let file: string;
  let bed: VaultBed;
  let vault: Vault;
  const expiresAtMs = Date.now() + 3_600_000;
  const open = (encryptionKeys = bed.keys) => bed.vault({ kind: "sqlite", file, encryptionKeys });
  const content = async (key: string, from = vault) => (await from.read("session", key))?.content;
  const sql = (statement: string): void => {
    const database = new DatabaseSync(file, { timeout: 1_000 });
    database.exec(statement);
    database.close();
  };

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "pillion-vault-"));
    file = join(directory, "sessions.db");
    bed = createVaultBed();
    vault = await open();
  });
  afterEach(async () => {
    await vault.close();
    rmSync(directory, { recursive: true });
  });

  it("gives back what was written, to whoever has the record's key", async () => {
    const version = await vault.write("session", A, { tokens: ["t"] }, { expiresAtMs });
    expect(await vault.read("session", A)).toEqual({ content: { tokens: ["t"] }, version });
    expect(await vault.read("session", B)).toBeUndefined();
    expect(await vault.read("login", A)).toBeUndefined();
    expect(await vault.take("session", A)).toEqual({ content: { tokens: ["t"] }, version });
    expect(await vault.remove("session", A)).toBe(false);
  });

  it("compares and sets, locks and counts as its store does", async () => {
    const options = { expiresAtMs, credentials: ["user"] };
    const version = await vault.write("session", A, 1, { ...options, expected: "absent" });
    expect(await vault.write("session", A, 2, { ...options, expected: "absent" })).toBeUndefined();
    expect(await vault.write("session", A, 2, { ...options, expected: version ?? "" })).toBeDefined();
    const lock = await vault.lock("session", A, 10_000);
    expect(await vault.lock("session", A, 10_000)).toBeUndefined();
    expect(await vault.lock("login", A, 10_000)).toBeDefined();
    await lock?.release();
    expect(await vault.lock("session", A, 10_000)).toBeDefined();
    expect([...(await vault.countByCredential())]).toEqual([["user", 1]]);
  });

  it("has no record where another's was put in its place", async () => {
    await vault.write("session", A, "a", { expiresAtMs });
    await vault.write("session", B, "b", { expiresAtMs });
    sql(`CREATE TEMP TABLE swapped AS SELECT one.name, other.value FROM records one JOIN records other
      ON one.name <> other.name;
      UPDATE records SET value = (SELECT value FROM swapped WHERE swapped.name = records.name)`);
    expect([await content(A), await content(B)]).toEqual([undefined, undefined]);
  });

  it("has no record where it was tampered with, and counts it as unreadable", async () => {
    await vault.write("session", A, "a", { expiresAtMs });
    sql("UPDATE records SET value = CAST(substr(value, 1, 30) || x'00' || substr(value, 32) AS BLOB)");
    expect(await content(A)).toBeUndefined();
    sql("UPDATE records SET value = x''");
    expect(await content(A)).toBeUndefined();
    expect(await vault.take("session", A)).toBeUndefined();
    expect(bed.operations.slice(1)).toEqual(["read unreadable", "read unreadable", "take unreadable"]);
  });

  it("reads with every key and writes with the first, so that keys are rotated while it runs", async () => {
    await vault.write("session", A, "old", { expiresAtMs });
    const old = bed.env.get("KEY") ?? new Secret("");
    bed.env.set("NEW", new Secret(randomBytes(32).toString("base64")));
    const both = await open([{ kind: "env", name: "NEW" }, ...bed.keys]);
    expect(await content(A, both)).toBe("old");
    await both.write("session", B, "new", { expiresAtMs });
    // The vault that knows the old key only.
    expect([await content(A), await content(B)]).toEqual(["old", undefined]);
    // The file of its key is exchanged.
    bed.env.set("KEY", bed.env.get("NEW") ?? old);
    expect([await content(A), await content(B)]).toEqual([undefined, "new"]);
    await both.close();
  });

  it("observes each operation once", async () => {
    await vault.read("session", A);
    await vault.write("session", A, 1, { expiresAtMs });
    await vault.remove("session", A);
    await vault.take("session", A);
    await (await vault.lock("session", A, 1_000))?.release();
    await vault.countByCredential();
    const operations = ["read", "write", "remove", "take", "lock", "count"];
    expect(bed.operations).toEqual(operations.map((operation) => `${operation} success`));
  });

  it("rejects with StoreUnavailable when its store fails, and is skipped after that", async () => {
    sql("DROP TABLE records");
    await expect(vault.read("session", A)).rejects.toThrow(StoreUnavailable);
    await expect(vault.read("session", A)).rejects.toThrow(StoreUnavailable);
    expect(bed.operations).toEqual(["read unavailable", "read skipped"]);
  });

  it("refuses to open with a key that is none", async () => {
    bed.env.set("BAD", new Secret("canary"));
    const opening = open([{ kind: "env", name: "BAD" }]);
    await expect(opening).rejects.toThrow(ConfigError);
    await expect(opening).rejects.toThrow("store.encryption_keys[0]: it is not 32 bytes in base64");
  });

  it("needs no key in memory, and seals there as well", async () => {
    const memory = await bed.vault({ kind: "memory" });
    expect(memory.shared).toBe(false);
    await memory.write("session", A, { a: 1 }, { expiresAtMs });
    expect(await content(A, memory)).toEqual({ a: 1 });
    await memory.close();
  });

  it("reads what a copy of its file holds", async () => {
    await vault.write("session", A, "kept", { expiresAtMs });
    await vault.close();
    const copy = join(directory, "copy.db");
    copyFileSync(file, copy);
    vault = await bed.vault({ kind: "sqlite", file: copy, encryptionKeys: bed.keys });
    expect(await content(A)).toBe("kept");
  });
});
