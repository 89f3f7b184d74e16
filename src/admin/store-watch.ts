import type { StoreObserver } from "../store/store.ts";

/** Whether the store could be asked when it last was. */
export interface StoreWatch {
  readonly observer: StoreObserver;
  isAvailable(): boolean;
}

/** Tells `next` all it hears. */
export function createStoreWatch(next: StoreObserver): StoreWatch {
  let isAvailable = true;
  return {
    observer: {
      operated(operation, outcome) {
        isAvailable = outcome === "success" || outcome === "unreadable";
        next.operated(operation, outcome);
      },
    },
    isAvailable: () => isAvailable,
  };
}
