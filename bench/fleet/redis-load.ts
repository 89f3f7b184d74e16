/** What a real Redis has to do meanwhile, by its own count. */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisServer } from "../../test/support/redis-server.ts";

export interface RedisLoad {
  readonly commands: number;
  readonly worstSecond: number;
  readonly cpuSeconds: number;
}

export interface RedisWatch {
  /** Ends it; what was counted since it began. */
  end(): Promise<RedisLoad>;
}

interface Counters {
  readonly commands: number;
  readonly cpuSeconds: number;
}

/** Looks once a second. A server that was restarted begins to count anew; while it is away nothing is counted. */
export function watchRedis(redis: RedisServer): RedisWatch {
  const stop = new AbortController();
  const watching = (async (): Promise<RedisLoad> => {
    let commands = 0;
    let cpuSeconds = 0;
    let worstSecond = 0;
    let before = await countersOf(redis);
    let beforeMs = performance.now();
    for (let last = false; !last; ) {
      await delay(1_000, undefined, { signal: stop.signal }).catch(() => {
        last = true;
      });
      const present = await countersOf(redis);
      const nowMs = performance.now();
      if (before !== undefined && present !== undefined && present.commands >= before.commands) {
        const more = present.commands - before.commands;
        commands += more;
        cpuSeconds += present.cpuSeconds - before.cpuSeconds;
        worstSecond = Math.max(worstSecond, last ? more : (more * 1_000) / (nowMs - beforeMs));
      }
      before = present;
      beforeMs = nowMs;
    }
    return { commands, worstSecond: Math.round(worstSecond), cpuSeconds };
  })();
  return {
    end() {
      stop.abort();
      return watching;
    },
  };
}

async function countersOf(redis: RedisServer): Promise<Counters | undefined> {
  try {
    const [stats, cpu] = [await redis.command("INFO", "stats"), await redis.command("INFO", "cpu")];
    const field = (text: unknown, name: string): number =>
      Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(String(text))?.[1]);
    return {
      commands: field(stats, "total_commands_processed"),
      cpuSeconds: field(cpu, "used_cpu_user") + field(cpu, "used_cpu_sys"),
    };
  } catch {
    return undefined;
  }
}
