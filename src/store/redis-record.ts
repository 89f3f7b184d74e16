import type { StoredValue, Version } from "./store.ts";

/** A record as it lies in Redis: one line of text, `version expiry indexes`, and the value. */
export interface RedisRecord extends StoredValue {
  readonly expiresAtMs: number;
  /** Names of the sorted sets that it is a member of. */
  readonly indexes: readonly string[];
}

export interface RedisHeader {
  readonly version: Version;
  readonly expiresAtMs: number;
  readonly indexes: readonly string[];
}

/** The expiry is in it, too, since Redis's clock is not this process's. Fixed format: the scripts read it. */
export function encodeRecord({ version, expiresAtMs, indexes }: RedisHeader, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${version} ${expiresAtMs} ${JSON.stringify(indexes)}\n`), value]);
}

/** undefined: something else that another program put there. */
export function decodeRecord(stored: Buffer): RedisRecord | undefined {
  const end = stored.indexOf("\n");
  const header = end === -1 ? undefined : decodeHeader(stored.subarray(0, end + 1).toString());
  return header === undefined ? undefined : { ...header, value: stored.subarray(end + 1) };
}

export function decodeHeader(text: string): RedisHeader | undefined {
  const match = /^(\S+) (\d{1,16}) (.+)\n$/.exec(text);
  if (match === null) return undefined;
  const [, version = "", expiry = "", list = ""] = match;
  try {
    const indexes: unknown = JSON.parse(list);
    if (!Array.isArray(indexes) || !indexes.every((index) => typeof index === "string")) return undefined;
    return { version, expiresAtMs: Number(expiry), indexes };
  } catch {
    return undefined;
  }
}
