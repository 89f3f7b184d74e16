/** Keeps what relayed bodies and finished exchanges leave behind from piling up. */
export interface MemoryValve {
  /** So many bytes of a body went through, in either direction. */
  relayed(bytes: number): void;
}

export interface MemoryValveOptions {
  /** Bytes between two collections. Default 8 MiB. */
  readonly everyBytes?: number;
  /** Collects young garbage. */
  collect(): void;
}

/** A collection of young garbage takes about a millisecond: a few per cent of a core at full speed, nothing below. */
const EVERY_BYTES = 8 * 1_048_576;

/**
 * Each chunk that is read from a socket lies outside of V8's heap, where V8 lets 64 MiB gather before it collects. A
 * sidecar has less to give: after every 8 MiB relayed the chunks that are gone are given back.
 */
export function createMemoryValve({ everyBytes = EVERY_BYTES, collect }: MemoryValveOptions): MemoryValve {
  let sinceBytes = 0;
  return {
    relayed(bytes) {
      sinceBytes += bytes;
      if (sinceBytes < everyBytes) return;
      sinceBytes = 0;
      collect();
    },
  };
}

/** For embedders without access to the collector. */
export const openValve: MemoryValve = { relayed() {} };
