/**
 * What outlives the emulator where somebody keeps it: its key, what users agreed to, what they booked. Values are JSON.
 * Each `put` and `remove` must be kept before it returns, so that nothing is given out that a restart would deny.
 */
export interface Records {
  /** Every value whose name starts so, in the order in which the names were first put. */
  list(prefix: string): readonly unknown[];
  put(name: string, value: unknown): void;
  remove(name: string): void;
}

/** Keeps nothing: the emulator starts anew each time. */
export const forgetful: Records = { list: () => [], put: () => {}, remove: () => {} };

const KEY = "key";

/** The emulator's own secret, 32 bytes: the one kept, else a new one. */
export function keptKey(records: Records, randomBytes: (size: number) => Buffer): Buffer {
  const [kept] = records.list(KEY);
  if (typeof kept === "string") return Buffer.from(kept, "base64");
  const key = randomBytes(32);
  records.put(KEY, key.toString("base64"));
  return key;
}
