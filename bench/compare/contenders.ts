/** Who takes part. */
import { join } from "node:path";
import { nodePeers } from "./node-peers.ts";
import { pillionContender, type ShippedPillion, shipPillion } from "./pillion.ts";
import { type Plan, UsageError } from "./plan.ts";
import { provision } from "./provision.ts";
import type { Contender, Program } from "./setting.ts";
import { systemPeers } from "./system-peers.ts";

export interface Missing {
  readonly name: string;
  readonly reason: string;
}

export interface Field {
  readonly shipped: ShippedPillion;
  readonly entries: readonly { readonly contender: Contender; readonly program: Program }[];
  readonly missing: readonly Missing[];
}

/** @throws UsageError for a name that nobody has */
export function contendersOf(plan: Plan, directory: string, say: (line: string) => void): Field {
  const peers = [...nodePeers, ...systemPeers];
  const names = ["pillion", "pillion+access-log", ...peers.map(({ name }) => name)];
  const unknown = plan.only?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) throw new UsageError(`--only takes ${names.join(", ")}; not ${unknown.join(", ")}`);
  if (plan.install) provision(say);
  const shipped = shipPillion(join(directory, "shipped"), plan.pillion);
  const all = [
    pillionContender("pillion", shipped),
    pillionContender("pillion+access-log", shipped, { accessLog: true }),
    ...peers,
  ];
  const entries: { contender: Contender; program: Program }[] = [];
  const missing: Missing[] = [];
  for (const contender of all) {
    if (plan.only !== undefined && !plan.only.includes(contender.name)) continue;
    const program = contender.find();
    if (typeof program === "string") missing.push({ name: contender.name, reason: program });
    else entries.push({ contender, program });
  }
  return { shipped, entries, missing };
}
