import { createHash, timingSafeEqual } from "node:crypto";

/** 256 bits in base64url without padding. */
const OPAQUE = /^[A-Za-z0-9_-]{43}$/;

/** A session id, a login's `state`, the value of a login cookie. */
export function opaqueValue(randomBytes: (size: number) => Buffer): string {
  return randomBytes(32).toString("base64url");
}

/** Whether it can be one of ours at all: what cannot never reaches the store. */
export function isOpaqueValue(text: string | undefined): text is string {
  return text !== undefined && OPAQUE.test(text);
}

/** SHA-256 in base64url: what a record holds of a value that only its owner is to know. */
export function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

/** Whether the hash is that of the text; takes as long for any text of ours. */
export function isHashOf(text: string | undefined, hash: string): boolean {
  if (text === undefined) return false;
  const own = Buffer.from(hashOf(text));
  const other = Buffer.from(hash);
  return own.length === other.length && timingSafeEqual(own, other);
}
