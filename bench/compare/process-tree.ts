/** What a process and everything it started have used, from /proc (Linux only). */
import { readdirSync, readFileSync } from "node:fs";

/** The kernel's unit of time in /proc, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const KIBIBYTE = 1024;

export interface ProcessStat {
  readonly pid: number;
  readonly parentPid: number;
  /** User and system time of all its threads, and of the children it has waited for. */
  readonly cpuSeconds: number;
}

/** One line of /proc/PID/stat, proc_pid_stat(5). The command's name may hold spaces and parentheses. */
export function parseStat(line: string): ProcessStat {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  return {
    pid: Number.parseInt(line, 10),
    parentPid: Number(fields[1]),
    cpuSeconds: ticks / TICKS_PER_SECOND,
  };
}

/** The root and all that descend from it, the root first. */
export function treeOf(root: number, processes: readonly ProcessStat[]): readonly ProcessStat[] {
  const found = processes.filter(({ pid }) => pid === root);
  for (const parent of found) {
    // The list grows while it is walked: children of children are found in turn.
    found.push(...processes.filter(({ parentPid }) => parentPid === parent.pid));
  }
  return found;
}

function runningProcesses(): readonly ProcessStat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const line = readIfThere(`/proc/${pid}/stat`);
      return line === undefined ? [] : [parseStat(line)];
    });
}

/** A process may end between the listing and the look at it. */
function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return undefined;
  }
}

/** The root and all that descend from it, the root first; empty when it is gone. */
export function treePids(root: number): readonly number[] {
  return treeOf(root, runningProcesses()).map(({ pid }) => pid);
}

export function treeCpuSeconds(root: number): number {
  return treeOf(root, runningProcesses()).reduce((sum, each) => sum + each.cpuSeconds, 0);
}

/** The sum of the resident sets; pages that several of them share count once for each. */
export function treeResidentBytes(root: number): number {
  return treeOf(root, runningProcesses()).reduce((sum, { pid }) => {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readIfThere(`/proc/${pid}/status`) ?? "")?.[1];
    return sum + Number(kibibytes ?? 0) * KIBIBYTE;
  }, 0);
}
