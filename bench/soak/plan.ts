/** What is asked for during a soak, and how often. */

export type Kind =
  | "get" // a small answer
  | "upload" // a body of 64 KiB, answered by its digest
  | "download" // 256 KiB
  | "events" // an event stream of four events
  | "abort" // the caller goes away: before the answer, or in the middle of it
  | "unauthorized" // the upstream answers 401 once: replayed with a new token, or passed on
  | "error" // the upstream answers 500
  | "reset" // the upstream resets the connection before it answers
  | "cut" // the upstream resets it in the middle of the answer
  | "slow"; // the upstream takes half a second

export interface Plan {
  readonly id: number;
  readonly kind: Kind;
  readonly target: Target;
}

/** A route, and the tenant whose token has to arrive at the upstream; undefined for the route that injects none. */
export interface Target {
  readonly path: string;
  readonly tenant: string | undefined;
}

/** Of a thousand: four faults of the upstream make 1 %. */
const SHARES: readonly (readonly [Kind, number])[] = [
  ["upload", 120],
  ["download", 120],
  ["events", 30],
  ["abort", 40],
  ["unauthorized", 5],
  ["error", 3],
  ["reset", 3],
  ["cut", 2],
  ["slow", 2],
];

/** Kinds that are a fault of the upstream. */
export const FAULTS: ReadonlySet<Kind> = new Set(["error", "reset", "cut", "slow"]);

/** Tenants of the credential that has some; the last one is asked for rarely, so that its token expires in between. */
export const TENANTS = ["isb", "riverside", "northgate", "seldom"] as const;

/** Draws the next request. Deterministic for a given `random`. */
export function drawPlan(id: number, random: () => number): Plan {
  let drawn = random() * 1_000;
  const kind = SHARES.find(([, share]) => {
    drawn -= share;
    return drawn < 0;
  })?.[0];
  return { id, kind: kind ?? "get", target: drawTarget(random) };
}

function drawTarget(random: () => number): Target {
  const drawn = random() * 100;
  if (drawn < 1) return { path: "/tenants/seldom/", tenant: "seldom" };
  if (drawn < 15) return { path: "/billing/", tenant: "billing" };
  if (drawn < 25) return { path: "/open/", tenant: undefined };
  const tenant = TENANTS[Math.floor(random() * (TENANTS.length - 1))] ?? TENANTS[0];
  return { path: `/tenants/${tenant}/`, tenant };
}

/** Mulberry32: small, even enough, and the same numbers for the same seed. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
