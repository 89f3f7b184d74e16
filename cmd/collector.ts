import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** V8's collection of young garbage. The function is fetched once; no code of ours or others can reach it afterwards. */
export function createCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { readonly type: "minor" }) => void;
  setFlagsFromString("--no-expose-gc");
  return () => collect({ type: "minor" });
}
