import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemFiles } from "../../src/config/files.ts";
import { requireReadable } from "../../src/config/readable.ts";
import { createSecretSource } from "../../src/config/secret-source.ts";
import { silentLogger } from "../../src/core/log.ts";
import { configOf } from "../config/config-fixture.ts";

const KEY = Buffer.alloc(32, 0xa5).toString("base64");
const CANARY = "c4n4ry-value";
const MAKE = "it is not 32 bytes in base64; make one with openssl rand -base64 32";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "pillion-store-secrets-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The faults of a configuration whose secrets are in `env` and in the file `key`. */
function faultsOf(
  text: string,
  { key = KEY, env = {} }: { key?: string; env?: Record<string, string> },
): string[] {
  writeFileSync(join(directory, "pillion.yaml"), text);
  writeFileSync(join(directory, "key"), key);
  const config = configOf(text, { directory });
  const secrets = createSecretSource({ env, files: systemFiles, log: silentLogger });
  try {
    requireReadable(config, "pillion.yaml", secrets);
    return [];
  } catch (error) {
    return error instanceof Error ? error.message.replaceAll(directory, "DIR").split("\n") : [];
  }
}

const sqlite = "store: { sqlite: a.db, encryption_keys: [{ file: key }, { env: OLD }] }";
const redis = "store: { redis: { url: { env: URL } }, encryption_keys: [{ file: key }] }";

describe("the store's secrets are judged before anything starts, each where it is referred to, and never shown", () => {
  it.each([
    [sqlite, { key: `${KEY}\n`, env: { OLD: KEY } }],
    [redis, { env: { URL: "rediss://:pw@cache:6380/1" } }],
    [redis, { env: { URL: "redis+sentinel://:pw@a,b/main/1?sentinel_password=pw" } }],
    [redis, { env: { URL: "rediss+cluster://u:pw@a:1,[::1]:2" } }],
  ])("good ones: %s", (text, secrets) => {
    expect(faultsOf(text, secrets)).toEqual([]);
  });

  it.each([
    [
      "an encryption key of another form",
      sqlite,
      { key: CANARY, env: { OLD: KEY } },
      [
        `pillion.yaml:1:42 store.encryption_keys[0]: secret file DIR/key: ${MAKE} [errors.md#unusable-secret]`,
      ],
    ],
    [
      "one that is too short",
      sqlite,
      { env: { OLD: Buffer.alloc(16).toString("base64") } },
      [
        `pillion.yaml:1:57 store.encryption_keys[1]: environment variable OLD: ${MAKE} [errors.md#unusable-secret]`,
      ],
    ],
    [
      "one that is missing",
      sqlite,
      {},
      [
        "pillion.yaml:1:57 store.encryption_keys[1]: environment variable OLD: it is not set [errors.md#unreadable]",
      ],
    ],
    [
      "a Redis URL of another form",
      redis,
      { env: { URL: `http://:${CANARY}@cache` } },
      [
        "pillion.yaml:1:24 store.redis.url: environment variable URL: expected a URL that begins with redis:// or rediss:// (or redis+sentinel://, redis+cluster://) [errors.md#unusable-secret]",
      ],
    ],
    [
      "both",
      redis,
      { key: CANARY, env: { URL: CANARY } },
      [
        "pillion.yaml:1:24 store.redis.url: environment variable URL: expected a URL that begins with redis:// or rediss:// (or redis+sentinel://, redis+cluster://) [errors.md#unusable-secret]",
        `pillion.yaml:1:58 store.encryption_keys[0]: secret file DIR/key: ${MAKE} [errors.md#unusable-secret]`,
      ],
    ],
  ])("%s", (_, text, secrets, faults) => {
    const found = faultsOf(text, secrets);
    expect(found).toEqual(faults);
    expect(found.join("\n")).not.toContain(CANARY);
  });
});
