/** Chance from a seed. */

/** Whole numbers from 0 to below `limit`. */
export type Pick = (limit: number) => number;

/** Mulberry32: small, fast, and the same everywhere. */
export function createPick(seed: number): Pick {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

export function one<T>(pick: Pick, choices: readonly T[]): T {
  return choices[pick(choices.length)] as T;
}
