import type { RedisHost } from "../config/redis-url.ts";
import type { RedisCommand } from "./redis-connection.ts";

/** A cluster's keys lie in this many slots (Redis cluster specification). */
export const SLOTS = 16_384;

export interface SlotRange {
  readonly first: number;
  /** Inclusive. */
  readonly last: number;
  readonly primary: RedisHost;
}

/** CRC-16/XMODEM of the key, or of what is between the first `{` and the next `}` if there is anything. */
export function slotOf(key: string): number {
  const open = key.indexOf("{");
  const close = open === -1 ? -1 : key.indexOf("}", open + 1);
  return crc16(Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key)) % SLOTS;
}

const CRC16_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc;
});

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (CRC16_TABLE[(crc >> 8) ^ byte] ?? 0);
  return crc;
}

/** Where each command that a store sends has its one key: scripts after their number of keys, all others first. */
export function keyOf(command: RedisCommand): string {
  const name = command[0];
  return String(command[name === "EVAL" || name === "EVALSHA" ? 3 : 1]);
}

/**
 * The answer to CLUSTER SLOTS: `[first, last, [host, port, …], replicas…]` each. A host may be missing or empty where a
 * node does not know its own: it is the one that was asked. undefined: something else.
 */
export function readSlotRanges(reply: unknown, asked: RedisHost): readonly SlotRange[] | undefined {
  if (!Array.isArray(reply)) return undefined;
  const ranges = reply.map((entry) => readSlotRange(entry, asked));
  return ranges.every((range) => range !== undefined) ? ranges : undefined;
}

function readSlotRange(entry: unknown, asked: RedisHost): SlotRange | undefined {
  if (!Array.isArray(entry)) return undefined;
  const [first, last, node] = entry as unknown[];
  if (!isSlot(first) || !isSlot(last) || !Array.isArray(node)) return undefined;
  const [host, port] = node as unknown[];
  if (typeof port !== "number" || port < 1 || port > 65_535) return undefined;
  const name = host === null ? "" : String(host);
  // `?`: it was told to announce a name and has none.
  return { first, last, primary: { host: name === "" || name === "?" ? asked.host : name, port } };
}

function isSlot(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < SLOTS;
}
