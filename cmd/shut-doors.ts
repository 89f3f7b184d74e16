import { writeFileSync } from "node:fs";
import { url as inspectorUrl } from "node:inspector";
import { openDebugDoors } from "./debug-doors.ts";
import { CommandError, EXIT } from "./exit-code.ts";

/** Refuses to go on, with one line a door, where somebody could watch. For the commands that serve. */
export function refuseOpenDoors(): void {
  const { env, execArgv } = process;
  const doors = openDebugDoors({ env, execArgv, inspectorUrl: inspectorUrl() });
  if (doors.length > 0) throw new CommandError(doors.join("\npillion: "), EXIT.usage);
  shutDoors();
}

/** Shuts what can be shut from within; SIGUSR1 was, in `cmd/pillion.ts`, before anything else was loaded. */
export function shutDoors(): void {
  // A report that an administrator asks for by flag leaves secrets of environment variables out.
  process.report.excludeEnv = true;
  try {
    // Linux: should the process be killed by SIGABRT or a fault, its core dump has no page of memory in it (core(5)).
    writeFileSync("/proc/self/coredump_filter", "0");
  } catch {
    // Another system, or one that does not let us: RLIMIT_CORE, set from outside, does the same.
  }
}
