import { createHash, createSecretKey, type KeyObject } from "node:crypto";
import { ConfigError } from "../config/fault.ts";
import type { Logger } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";

export const KEY_BYTES = 32;
export const KEY_ID_BYTES = 8;

/** Encrypts and decrypts records; shows neither in logs nor in an inspected object. */
export interface EncryptionKey {
  /** Names the key in each record that it sealed: a truncated hash, which tells nothing about the key. */
  readonly id: Buffer;
  readonly key: KeyObject;
}

/** The present keys, the one that encrypts first. Never empty. */
export type Keyring = () => readonly EncryptionKey[];

export function encryptionKey(bytes: Uint8Array): EncryptionKey {
  const id = createHash("sha256").update("pillion encryption key id\0").update(bytes).digest();
  return { id: id.subarray(0, KEY_ID_BYTES), key: createSecretKey(bytes) };
}

/**
 * @param subject names the key for people, such as `store.encryption_keys[0]`
 * @throws `ConfigError` that says how to make a key
 */
export function parseEncryptionKey(secret: Secret, subject: string): EncryptionKey {
  const text = secret.reveal();
  const bytes = Buffer.from(text, "base64");
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text) || bytes.length !== KEY_BYTES) {
    throw new ConfigError({
      kind: "unusable-secret",
      message: `${subject}: it is not ${KEY_BYTES} bytes in base64; make one with \`openssl rand -base64 ${KEY_BYTES}\``,
    });
  }
  return encryptionKey(bytes);
}

/**
 * Keys whose files may be exchanged while they are in use. A new value that is no key is logged and the keys that were
 * good last go on, as with every other secret.
 *
 * @param secrets is asked at each use and gives the same objects until a value changes
 * @throws `ConfigError` when they are no good from the start
 */
export function createKeyring(secrets: () => readonly Secret[], log: Logger): Keyring {
  let seen = secrets();
  let keys = parseAll(seen);
  return () => {
    const present = secrets();
    if (present.length === seen.length && present.every((secret, index) => secret === seen[index]))
      return keys;
    seen = present;
    try {
      keys = parseAll(present);
    } catch (error) {
      log.error("encryption_key_invalid", { error: error instanceof Error ? error.message : "unknown" });
    }
    return keys;
  };
}

function parseAll(secrets: readonly Secret[]): readonly EncryptionKey[] {
  if (secrets.length === 0) {
    throw new ConfigError({
      kind: "no-store-key",
      message: `store.encryption_keys: there is none; make one with \`openssl rand -base64 ${KEY_BYTES}\``,
    });
  }
  return secrets.map((secret, index) => parseEncryptionKey(secret, `store.encryption_keys[${index}]`));
}
