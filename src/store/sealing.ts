import { createCipheriv, createDecipheriv, createHash, hkdfSync } from "node:crypto";
import { type EncryptionKey, KEY_BYTES, KEY_ID_BYTES } from "./encryption-keys.ts";
import type { RecordKind } from "./vault.ts";

/** What a record is of, and the opaque secret that names it. */
export interface RecordIdentity {
  readonly kind: RecordKind;
  readonly key: string;
}

const ALGORITHM = "aes-256-gcm";
const FORMAT = 1;
const FORMAT_BYTES = 1;
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCE_AT = FORMAT_BYTES + KEY_ID_BYTES;
const CIPHERTEXT_AT = NONCE_AT + NONCE_BYTES;

/** The name of a record in a store: its kind and a hash, from which the key cannot be had back. */
export function recordName({ kind, key }: RecordIdentity): string {
  return `${kind}:${createHash("sha256").update(key).digest("base64url")}`;
}

/**
 * | bytes | |
 * |---|---|
 * | 1 | format, 1 |
 * | 8 | id of the encryption key |
 * | 12 | nonce |
 * | n | ciphertext |
 * | 16 | tag, over all of the above and the record's name |
 *
 * AES-256-GCM (NIST SP 800-38D) under a key of the record's own, so that a nonce need only differ among the writes of one
 * record, and that whoever has the encryption key and the store still needs each visitor's session id.
 */
export function seal(
  plaintext: Uint8Array,
  identity: RecordIdentity,
  encryptionKey: EncryptionKey,
  nonce: Uint8Array,
): Uint8Array {
  const head = Buffer.concat([Buffer.of(FORMAT), encryptionKey.id, nonce]);
  const cipher = createCipheriv(ALGORITHM, deriveKey(encryptionKey, identity), nonce, {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(associatedData(head, identity));
  return Buffer.concat([head, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** The plaintext; undefined: not sealed for this record, or not by any of these keys, or changed since. Never throws. */
export function open(
  sealed: Uint8Array,
  identity: RecordIdentity,
  encryptionKeys: readonly EncryptionKey[],
): Buffer | undefined {
  if (sealed.length < CIPHERTEXT_AT + TAG_BYTES || sealed[0] !== FORMAT) return undefined;
  const head = sealed.subarray(0, CIPHERTEXT_AT);
  const encryptionKey = encryptionKeys.find(({ id }) => id.equals(head.subarray(FORMAT_BYTES, NONCE_AT)));
  if (encryptionKey === undefined) return undefined;
  const nonce = head.subarray(NONCE_AT);
  const decipher = createDecipheriv(ALGORITHM, deriveKey(encryptionKey, identity), nonce, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associatedData(head, identity));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    return Buffer.concat([
      decipher.update(sealed.subarray(CIPHERTEXT_AT, sealed.length - TAG_BYTES)),
      decipher.final(),
    ]);
  } catch {
    return undefined;
  }
}

/** HKDF (RFC 5869). The record's key goes in as a hash, since `info` is limited in length and keys come from outside. */
function deriveKey(encryptionKey: EncryptionKey, { kind, key }: RecordIdentity): Uint8Array {
  const info = createHash("sha256").update(`pillion record\0${kind}\0`).update(key).digest();
  return new Uint8Array(hkdfSync("sha256", encryptionKey.key, "", info, KEY_BYTES));
}

function associatedData(head: Uint8Array, identity: RecordIdentity): Buffer {
  return Buffer.concat([head, Buffer.from(recordName(identity))]);
}
