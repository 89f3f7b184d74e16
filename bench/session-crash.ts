/**
 * Processes that are killed amid the refresh of a session, at each step and at random: whether sessions outlive that, and
 * whether a refresh token that was used up is ever sent again.
 *
 *     node bench/session-crash.ts [--kills 200] [--stores sqlite,redis] [--seed 1] [--clock-ahead PATH]
 *
 * The kills are shared among the stores, which run side by side. 200 take about four minutes. A session may be lost only
 * where the answer to its refresh never reached the process, or lay unread in its socket; exit code 1 for any other loss,
 * and for any refresh token that was resent. `--clock-ahead` names libfaketime's library: the last process lives 20
 * seconds ahead with it, and what a dead process's claims take to run out is not waited for. Loopback only, on Linux.
 */
import { parseArgs } from "node:util";
import { type RedisServer, startRedisServer } from "../test/support/redis-server.ts";
import {
  type Kill,
  type LaneResult,
  MOMENTS,
  type Remains,
  runLane,
  seededRandom,
} from "./session-crash/lane.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    stores: { type: "string", default: "sqlite,redis" },
    seed: { type: "string", default: "1" },
    "clock-ahead": { type: "string" },
  },
});
const kills = Number(values.kills);
if (!(Number.isInteger(kills) && kills > 0)) throw new Error("--kills takes a whole number above 0");
const stores = values.stores.split(",");
const library = values["clock-ahead"];

async function run(store: string, count: number, firstMoment: number): Promise<LaneResult> {
  const random = seededRandom(`${values.seed} ${store}`);
  const ahead = library === undefined ? undefined : { LD_PRELOAD: library, FAKETIME: "+20s" };
  const options = { kills: count, firstMoment, random, ...(ahead === undefined ? {} : { laterEnv: ahead }) };
  if (store === "sqlite") {
    // Its locks run out by the clock of whoever looks.
    const endLocks = ahead === undefined ? {} : { endLocks: async () => {} };
    return runLane({ ...options, ...endLocks, store: { kind: "sqlite" } });
  }
  if (store !== "redis") throw new Error("--stores takes sqlite, redis or both");
  await using redis = await startRedisServer();
  const endLocks = ahead === undefined ? {} : { endLocks: () => removeLocks(redis) };
  return await runLane({ ...options, ...endLocks, store: { kind: "redis", url: redis.url } });
}

/** Redis has a clock of its own. */
async function removeLocks(redis: RedisServer): Promise<void> {
  const found = await redis.command("KEYS", "pillion:lock:*");
  for (const key of Array.isArray(found) ? found : []) await redis.command("DEL", String(key));
}

const EXCUSED: readonly Remains[] = ["unanswered", "unread"];

function report(store: string, { kills: done, refreshes, resent, odd }: LaneResult): boolean {
  const lost = done.filter((kill) => kill.lost);
  const by = (remains: Remains): number => lost.filter((kill) => kill.remains === remains).length;
  const otherwise = lost.filter((kill) => !EXCUSED.includes(kill.remains)).length;
  console.log(
    `${store}: ${done.length} kills, ${refreshes} refreshes; sessions lost: ${lost.length}, ` +
      `of these by a refresh whose answer never arrived: ${by("unanswered")}, ` +
      `whose answer lay unread: ${by("unread")}, otherwise: ${otherwise}; consumed tokens resent: ${resent}`,
  );
  for (const moment of new Set(MOMENTS)) console.log(`  ${moment.padEnd(18)}${row(done, moment)}`);
  for (const each of odd) console.log(`  BAD ${each}`);
  return otherwise === 0 && resent === 0 && odd.length === 0;
}

function row(done: readonly Kill[], moment: string): string {
  const here = done.filter((kill) => kill.moment === moment);
  const states = (["untouched", "unanswered", "unread", "stored"] as const).map((remains) => {
    const such = here.filter((kill) => kill.remains === remains);
    return `${remains} ${such.length} (lost ${such.filter(({ lost }) => lost).length})`;
  });
  return `${String(here.length).padStart(4)} kills: ${states.join(", ")}`;
}

const results = await Promise.all(
  stores.map(async (store, index) => {
    const count = Math.floor(kills / stores.length) + (index < kills % stores.length ? 1 : 0);
    // So that even a short run has them all.
    return [store, await run(store, count, Math.floor((index * MOMENTS.length) / stores.length))] as const;
  }),
);
for (const [store, result] of results) if (!report(store, result)) process.exitCode = 1;
