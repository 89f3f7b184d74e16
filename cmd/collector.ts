import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Collector {
  /** Young garbage: about a millisecond. */
  young(): void;
  /** All there is, compiled code that has run its course too: some ten milliseconds for a sidecar's heap. */
  all(): void;
}

/** V8's collections. The function is fetched once; no code of ours or others can reach it afterwards. */
export function createCollector(): Collector {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: {
    readonly type: "minor" | "major";
    readonly execution?: "sync";
    readonly flavor?: "last-resort";
  }) => void;
  setFlagsFromString("--no-expose-gc");
  return {
    young: () => collect({ type: "minor" }),
    all: () => collect({ type: "major", execution: "sync", flavor: "last-resort" }),
  };
}
