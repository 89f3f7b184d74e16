import { describe, expect, it } from "vitest";
import { createMemoryValve } from "../../src/core/memory-valve.ts";

describe("the memory valve", () => {
  it.each([
    [[16], 1],
    [[15], 0],
    [[8, 7], 0],
    [[8, 8], 1],
    [[8, 9, 15], 1],
    [[8, 9, 16], 2],
    [[100], 1],
  ])("%j MiB relayed: %i collections", (chunks, collections) => {
    let collected = 0;
    const valve = createMemoryValve({ collect: () => collected++ });
    for (const chunk of chunks) valve.relayed(chunk * 1_048_576);
    expect(collected).toBe(collections);
  });
});
