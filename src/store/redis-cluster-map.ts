import { REDIS_URL_FORMS, type RedisHost } from "../config/redis-url.ts";
import type { Timer } from "../core/clock.ts";
import { hostAndPort, type RedisAddress } from "./redis-address.ts";
import { type ConnectOptions, connectRedisClient, RedisRefusal } from "./redis-client.ts";
import { readSlotRanges, type SlotRange } from "./redis-slots.ts";

/** For one node, to give the map of the cluster. */
export const MAP_MS = 1_000;

/** Over a connection for this alone: a node of the URL may be any, even a replica. Rejects with words for a log. */
export async function askSeed(
  seed: RedisAddress,
  options: Pick<ConnectOptions, "clock" | "serverClock" | "signal">,
): Promise<readonly SlotRange[]> {
  let timer: Timer | undefined;
  try {
    const client = await connectRedisClient(seed, {
      ...options,
      timeoutMs: MAP_MS,
      role: "any",
      onBroken: (broken) => broken.destroy(),
    });
    timer = options.clock.schedule(MAP_MS, () => client.destroy());
    try {
      return rangesOf(await client.send(["CLUSTER", "SLOTS"]), seed);
    } finally {
      client.destroy();
    }
  } catch (error) {
    throw new Error(`${hostAndPort(seed)}: ${mapWords(error)}`, { cause: error });
  } finally {
    timer?.cancel();
  }
}

/** Of the answer to CLUSTER SLOTS. @throws `Error` whose message is for a log */
export function rangesOf(reply: unknown, asked: RedisHost): readonly SlotRange[] {
  if (isWithoutPort(reply)) {
    throw new Error(
      "it names no port for this kind of connection; with TLS its configuration needs `tls-cluster yes`",
    );
  }
  const ranges = readSlotRanges(reply, asked);
  if (ranges === undefined) throw new Error("its answers are not Redis's");
  if (ranges.length === 0) throw new Error("it is in a cluster without slots");
  return ranges;
}

/** What a node says to a client with TLS whose cluster does not speak it. */
function isWithoutPort(reply: unknown): boolean {
  const isNone = (entry: unknown): boolean =>
    Array.isArray(entry) && Array.isArray(entry[2]) && entry[2][1] === 0;
  return Array.isArray(reply) && reply.some(isNone);
}

function mapWords(error: unknown): string {
  if (!(error instanceof Error)) return "it failed";
  if (!(error instanceof RedisRefusal)) return error.message;
  if (error.code === "ERR") {
    return `it is no node of a cluster; a single Redis is written ${REDIS_URL_FORMS.single}`;
  }
  if (error.code === "NOPERM") return "its ACL does not let this user do CLUSTER SLOTS";
  return error.message;
}
