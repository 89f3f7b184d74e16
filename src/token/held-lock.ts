import type { Clock, Timer } from "../core/clock.ts";
import type { Lock } from "../store/store.ts";

/** How long a lock outlives its holder: whoever waits for its token still has time to ask for one within its 10 s. */
export const LOCK_TTL_MS = 4_000;
const RENEWAL_MS = 1_000;

/** A lock that is held on until it is released, however long that takes. */
export interface HeldLock {
  /** Never rejects. */
  release(): Promise<void>;
}

/** A lock that was lost all the same, while the store was away or this process stood still, is not taken again. */
export function holdLock(lock: Lock, clock: Clock): HeldLock {
  let released = false;
  let timer: Timer | undefined;
  const renewLater = (): void => {
    timer = clock.schedule(RENEWAL_MS, () => {
      lock.renew(LOCK_TTL_MS).then(
        (isHeld) => {
          if (isHeld && !released) renewLater();
        },
        () => {
          if (!released) renewLater();
        },
      );
    });
  };
  renewLater();
  return {
    async release() {
      if (released) return;
      released = true;
      timer?.cancel();
      await lock.release();
    },
  };
}
