import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/config/fault.ts";
import { type LogFields, silentLogger } from "../../src/core/log.ts";
import { Secret } from "../../src/core/secret.ts";
import { createKeyring, parseEncryptionKey } from "../../src/store/encryption-keys.ts";

const base64Key = (): string => randomBytes(32).toString("base64");

describe("an encryption key", () => {
  const text = base64Key();
  it.each([
    ["base64, as openssl writes it", text],
    ["base64 without padding", text.replace("=", "")],
    ["base64url", Buffer.from(text, "base64").toString("base64url")],
  ])("is 32 bytes in %s", (_, written) => {
    expect(parseEncryptionKey(new Secret(written), "key").id).toEqual(
      parseEncryptionKey(new Secret(text), "key").id,
    );
  });

  it.each([
    ["too short", randomBytes(31).toString("base64")],
    ["too long", randomBytes(33).toString("base64")],
    ["a password", "correct horse battery staple"],
    ["hexadecimal", randomBytes(32).toString("hex")],
    ["base64 with something behind it", `${base64Key()} `],
  ])("that is %s is refused with the way to make one, and without its value", (_, written) => {
    const parse = () => parseEncryptionKey(new Secret(written), "store.encryption_keys[1]");
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(
      "store.encryption_keys[1]: it is not 32 bytes in base64; make one with `openssl rand -base64 32`",
    );
  });

  it("is not shown when it is inspected", () => {
    const shown = inspect(parseEncryptionKey(new Secret(text), "key"), { depth: 9, showHidden: true });
    expect(shown).not.toContain(text.slice(0, 12));
    expect(shown).not.toContain(Buffer.from(text, "base64").toString("hex").slice(0, 12));
  });
});

describe("the keyring", () => {
  it("takes up keys that were exchanged, and parses the same ones once", () => {
    let secrets = [new Secret(base64Key())];
    const keys = createKeyring(() => [...secrets], silentLogger);
    const before = keys();
    expect(keys()).toBe(before);
    secrets = [new Secret(base64Key()), ...secrets];
    expect(keys().map(({ id }) => id)).toEqual([expect.anything(), before[0]?.id]);
  });

  it("goes on with the last good keys when a new one is none, and logs it once", () => {
    const logged: [string, LogFields | undefined][] = [];
    const log = {
      ...silentLogger,
      error: (event: string, fields?: LogFields) => logged.push([event, fields]),
    };
    let secrets = [new Secret(base64Key())];
    const keys = createKeyring(() => secrets, log);
    const before = keys();
    secrets = [new Secret("not-a-key-canary")];
    expect([keys(), keys()]).toEqual([before, before]);
    expect(logged).toEqual([["encryption_key_invalid", { error: expect.stringContaining("openssl rand") }]]);
    expect(JSON.stringify(logged)).not.toContain("canary");
  });

  it("refuses to begin with no key, or one that is none", () => {
    expect(() => createKeyring(() => [], silentLogger)).toThrow(/there is none; make one/);
    expect(() => createKeyring(() => [new Secret("x")], silentLogger)).toThrow(ConfigError);
  });
});
