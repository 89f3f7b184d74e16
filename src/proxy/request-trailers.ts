import { isDroppedByName, REQUEST_FIELDS } from "./fields.ts";
import { isNoTrailer } from "./headers.ts";
import type { RequestHead } from "./request-head.ts";

const NONE: readonly string[] = [];

/**
 * The trailer fields of a request that go on, flat name, value, …: those that would go on in its head, and that neither
 * steer nor frame a message nor state who sends it (RFC 9110 §6.5.1).
 *
 * @param raw as Node gives them once the body has ended
 * @param dropped lower-case names of the fields that the route takes away
 */
export function requestTrailers(
  raw: readonly string[],
  head: RequestHead,
  dropped: ReadonlySet<string>,
): readonly string[] {
  if (raw.length === 0) return NONE;
  const named = connectionOptions(head.raw);
  const trailers: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    const lower = name.toLowerCase();
    if (REQUEST_FIELDS.has(lower) || isDroppedByName(lower) || isNoTrailer(lower)) continue;
    if (!dropped.has(lower) && !named.has(lower)) trailers.push(name, raw[index + 1] as string);
  }
  return trailers;
}

/** What `Connection` names is for this hop alone (RFC 9110 §7.6.1), in a trailer too. */
function connectionOptions(raw: readonly string[]): ReadonlySet<string> {
  const options = new Set<string>();
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.toLowerCase() !== "connection") continue;
    for (const option of raw[index + 1]?.toLowerCase().split(",") ?? []) options.add(option.trim());
  }
  return options;
}
