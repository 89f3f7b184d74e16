import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError } from "../../src/config/fault.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { StoreUnavailable } from "../../src/store/store.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";

const WRITER = fileURLToPath(new URL("sqlite-writer.ts", import.meta.url));

describe("the file of the SQLite store", () => {
  let directory: string;
  let file: string;
  const clock = createSystemClock();
  const open = () => openSqliteStore(file, { clock, randomBytes });
  const options = { expiresAtMs: Date.now() + 60_000 };
  const writer = (prefix: string, count: number) => {
    const child = spawn(process.execPath, [WRITER, file, prefix, `${count}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
    return {
      child,
      closed: once(child, "close"),
      written: () => printed.split("\n").filter((line) => line !== ""),
    };
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "pillion-sqlite-"));
    file = join(directory, "sessions.db");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("is refused when it is no database, with its name and nothing of it changed", async () => {
    writeFileSync(file, "canary\n".repeat(1_000));
    await expect(open()).rejects.toThrow(ConfigError);
    await expect(open()).rejects.toThrow(`store.sqlite: ${file}: file is not a database`);
    expect(readFileSync(file, "utf8")).toBe("canary\n".repeat(1_000));
  });

  it("is refused when it is another program's database", async () => {
    const other = new DatabaseSync(file);
    other.exec("CREATE TABLE records (name TEXT)");
    other.close();
    await expect(open()).rejects.toThrow("it is a database of another program; name a file of its own");
  });

  it("is refused when a newer release wrote it", async () => {
    await (await open()).close();
    const newer = new DatabaseSync(file);
    newer.exec("PRAGMA user_version = 7");
    newer.close();
    await expect(open()).rejects.toThrow("it was written by a newer Pillion (schema 7, this one knows 1)");
  });

  it("is refused when it is a directory, or lies under a file", async () => {
    mkdirSync(file);
    await expect(open()).rejects.toThrow("it is a directory; name a file in it");
    writeFileSync(join(directory, "plain"), "");
    file = join(directory, "plain", "sessions.db");
    await expect(open()).rejects.toThrow(`store.sqlite: ${file}: `);
  });

  it("is its owner's alone, even if it was open to others before", async () => {
    await (await open()).close();
    chmodSync(file, 0o666);
    const store = await open();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it("keeps every record that was reported as written when the process is killed", async () => {
    const { child, closed, written } = writer("k", 1_000_000);
    await once(child.stdout, "data");
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    await closed;
    expect(written().length).toBeGreaterThan(0);
    const store = await open();
    for (const index of written()) {
      expect(Buffer.from((await store.read(`k${index}`))?.value ?? []).toString()).toBe(index);
    }
    await store.close();
  });

  it("is written by several processes at once, none of which loses a record or is turned away", async () => {
    const writers = ["a", "b", "c"].map((prefix) => writer(prefix, 150));
    for (const { closed } of writers) expect((await closed)[0]).toBe(0);
    const store = await open();
    for (const prefix of ["a", "b", "c"]) {
      for (let index = 0; index < 150; index += 1)
        expect(await store.read(`${prefix}${index}`)).toBeDefined();
    }
    await store.close();
  });

  it("is unavailable to a writer while another holds it, though not to readers, and then well again", async () => {
    const store = await open();
    await store.write("a", Buffer.from("1"), options);
    const other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    const startMs = performance.now();
    const refused = store.write("a", Buffer.from("2"), options);
    await expect(refused).rejects.toThrow(StoreUnavailable);
    await expect(refused).rejects.toThrow("sqlite: database is locked");
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(await store.read("a")).toBeDefined();
    other.exec("ROLLBACK");
    other.close();
    expect(await store.write("a", Buffer.from("2"), options)).toBeDefined();
    await store.close();
  });

  it("writes what still waits when it is closed", async () => {
    const store = await open();
    const written = store.write("a", Buffer.from("1"), options);
    await store.close();
    expect(await written).toBeDefined();
    await expect(store.write("b", Buffer.from("1"), options)).rejects.toThrow(StoreUnavailable);
    const again = await open();
    expect(await again.read("a")).toBeDefined();
    await again.close();
  });

  it("gives back the room of what has expired", async () => {
    const fake = createFakeClock();
    const store = await openSqliteStore(file, { clock: fake, randomBytes });
    const expiresAtMs = fake.wall() + 60_000;
    const names = Array.from({ length: 1_200 }, (_, index) => `n${index}`);
    await Promise.all(
      names.map((name) => store.write(name, Buffer.of(1), { expiresAtMs, credentials: ["c"] })),
    );
    await store.lock("l", 1_000);
    const reader = new DatabaseSync(file, { readOnly: true });
    const rows = () =>
      ["records", "record_credentials", "locks"].map(
        (table) => reader.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.["rows"],
      );
    expect(rows()).toEqual([1_200, 1_200, 1]);
    for (let turn = 0; turn < 10; turn += 1) {
      await fake.advance(60_000);
      await settle();
    }
    expect(rows()).toEqual([0, 0, 0]);
    reader.close();
    await store.close();
  });
});
