/** This run beside an earlier one. As multiples of nginx in the same run, so that another machine matters less. Pure. */
import type { Result } from "./figures.ts";
import { ratioToNginx, type Table } from "./table.ts";

/** What `--json` writes, as far as it is read again. */
export interface RunRecord {
  readonly machine: unknown;
  readonly results: readonly Result[];
}

export class RecordError extends Error {}

/** @throws RecordError when it is no file of `--json` */
export function parseRecord(text: string, file: string): RunRecord {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new RecordError(`${file} is not JSON; --compare takes a file that --json wrote`, { cause });
  }
  const results = (parsed as { results?: unknown } | null)?.results;
  const isResult = (each: unknown): boolean => typeof (each as Result | null)?.figures === "object";
  if (!Array.isArray(results) || !results.every(isResult)) {
    throw new RecordError(`${file} holds no results; --compare takes a file that --json wrote`);
  }
  return parsed as RunRecord;
}

/** A proxy that one of the runs did not measure, or that ran without nginx beside it, is left out. */
export function changes(now: readonly Result[], then: readonly Result[]): Table {
  const lines = now.flatMap((result) => {
    const earlier = then.find(({ name, scheme }) => name === result.name && scheme === result.scheme);
    if (earlier === undefined || result.name === "nginx") return [];
    const [before, after] = [ratioToNginx(earlier, then), ratioToNginx(result, now)];
    if (before === undefined || after === undefined) return [];
    const percent = (after / before - 1) * 100;
    return [
      [
        result.scheme,
        result.name,
        before.toFixed(2),
        after.toFixed(2),
        `${percent > 0 ? "+" : ""}${percent.toFixed(1)} %`,
      ],
    ];
  });
  return [["upstream", "proxy", "CPU : nginx then", "now", "change"], ...lines];
}
