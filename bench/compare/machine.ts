/** Where and with what a run was made. */
import { availableParallelism, cpus, release, totalmem } from "node:os";
import type { Plan } from "./plan.ts";
import { canPin } from "./processes.ts";

export interface Machine {
  /** ISO 8601, UTC. */
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly linux: string;
  readonly node: string;
  readonly pinned: boolean;
  readonly plan: Pick<Plan, "kind" | "rounds" | "seconds" | "connections" | "requestsPerSecond">;
}

export function describeMachine(plan: Plan, date: Date): Machine {
  const { kind, rounds, seconds, connections, requestsPerSecond } = plan;
  return {
    date: date.toISOString(),
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    linux: release(),
    node: process.version,
    pinned: canPin,
    plan: { kind, rounds, seconds, connections, requestsPerSecond },
  };
}

/** One line. */
export function machineLine({ date, processor, cores, memoryGiB, node, pinned, plan }: Machine): string {
  const where = pinned ? "client and origin on one core, the proxy on the other" : "nothing pinned";
  return `${date.slice(0, 16).replace("T", " ")} UTC, ${processor}, ${cores} cores, ${memoryGiB} GiB, Node ${node}; ${where}; ${plan.connections} connections, ${plan.rounds} rounds of ${plan.seconds} s`;
}
