/**
 * Where a request leaves its trailer fields for its connection, flat name, value, …: put there as its body ends and
 * taken in the same turn. Every request with a body puts its own, if only none, so that no other's can be taken.
 */
export interface TrailerSlot {
  put(fields: readonly string[]): void;
  take(): readonly string[];
}

const NONE: readonly string[] = [];

export function createTrailerSlot(): TrailerSlot {
  let left = NONE;
  return {
    put(fields) {
      left = fields;
    },
    take() {
      const fields = left;
      left = NONE;
      return fields;
    },
  };
}
