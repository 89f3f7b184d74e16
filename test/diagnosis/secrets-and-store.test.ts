import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { startRedisServer } from "../support/redis-server.ts";
import { examine, findingOf, inWords, oauth2 } from "./lab.ts";

const directory = mkdtempSync(join(tmpdir(), "pillion-doctor-"));
afterAll(() => rmSync(directory, { recursive: true }));
const env = { KEY: randomBytes(32).toString("base64"), BLANK: " blank " };
const store = (where: string, key = "KEY"): string =>
  `store: { ${where}, encryption_keys: [{ env: ${key} }] }\n`;

async function said(text: string, name = "store"): Promise<string> {
  return inWords(findingOf(await examine(text, { directory, env }), name));
}

describe("what lies on this machine", () => {
  it.each([
    [
      "a variable that is not set",
      oauth2("http://127.0.0.1:9/"),
      /^failure environment variable SECRET: it is not set \| set SECRET/,
    ],
    [
      "a file that is not there",
      oauth2("http://127.0.0.1:9/").replace("{ env: SECRET }", "{ file: none }"),
      /^failure secret file .*none: no such file.*\| write the file/,
    ],
    [
      "a header that is not fit to be sent",
      "credentials: { k: { provider: static, header: X-Key, value: { env: BLANK } } }",
      /^failure the value of X-Key is not fit for a header \| take blanks/,
    ],
    [
      "a header",
      "credentials: { k: { provider: static, header: X-Key, value: { env: KEY } } }",
      /^ok the value of X-Key is there$/,
    ],
  ])("secrets: %s", async (_name, text, words) => {
    expect(await said(text, "credential")).toMatch(words);
  });

  it("store: in memory", async () => {
    expect(await said("log: { level: info }")).toMatch(/^ok memory/);
  });

  it("store: an SQLite file that is not there yet is not made", async () => {
    expect(await said(store("sqlite: sub/new.db"))).toMatch(/^ok sqlite: .*sub\/new\.db is not there yet/);
    expect(existsSync(join(directory, "sub"))).toBe(false);
  });

  it("store: an SQLite file is written, read and left as it was", async () => {
    const clock = createSystemClock();
    const file = join(directory, "there.db");
    await (await openSqliteStore(file, { clock, randomBytes })).close();
    expect(await said(store("sqlite: there.db"))).toMatch(
      /^ok sqlite: a sealed record was written, read and removed in \d+ ms$/,
    );
  });

  it("store: a file that is no database", async () => {
    writeFileSync(join(directory, "text.db"), "not a database, and long enough to be read as one".repeat(20));
    expect(await said(store("sqlite: text.db"))).toMatch(/^failure store\.sqlite: .*text\.db: .*\| /);
  });

  it("store: a key that is none", async () => {
    writeFileSync(join(directory, "key.db"), "");
    expect(await said(store("sqlite: key.db", "BLANK"))).toMatch(
      /^failure store\.encryption_keys\[0\]: it is not 32 bytes/,
    );
  });

  it("store: a Redis that is up", async () => {
    await using server = await startRedisServer();
    expect(await said(store(`redis: { url: "redis://127.0.0.1:${server.port}" }`))).toMatch(
      /^ok redis: a sealed record was written, read and removed in \d+ ms$/,
    );
  });

  it("store: a Redis that is down", async () => {
    expect(await said(store('redis: { url: "redis://127.0.0.1:9" }'))).toMatch(
      /^failure .*redis.*ECONNREFUSED.*\| check the URL's host, port and password/,
    );
  });
});
