import type { FleetSlots } from "./pacer.ts";
import type { PromptStore } from "./prompt-store.ts";

/** Slots as locks of the shared store that are not released: each token URL has one, and it runs out by itself. */
export function createFleetSlots(store: PromptStore): FleetSlots {
  return {
    async claim(tokenUrl, ttlMs) {
      const key = `turn ${tokenUrl}`;
      try {
        const lock = await store.ask(
          key,
          (vault) => vault.lock("token", key, ttlMs),
          // Nobody sends anything in it.
          (late) => void late?.release(),
        );
        if (lock === undefined) return "taken";
        return {
          endAfter(nextTtlMs) {
            // Where that fails it ends when it would have ended.
            if (nextTtlMs <= 0) void lock.release();
            else lock.renew(nextTtlMs).catch(() => {});
          },
        };
      } catch {
        return undefined;
      }
    },
  };
}
