import { describe, expect, it } from "vitest";
import { createMemoryValve } from "../../src/core/memory-valve.ts";

describe("the memory valve", () => {
  it.each([
    [[8], 1],
    [[7], 0],
    [[4, 3], 0],
    [[4, 4], 1],
    [[4, 5, 7], 1],
    [[4, 5, 8], 2],
    [[100], 1],
  ])("%j MiB relayed: %i collections", (chunks, collections) => {
    let collected = 0;
    const valve = createMemoryValve({ collect: () => collected++ });
    for (const chunk of chunks) valve.relayed(chunk * 1_048_576);
    expect(collected).toBe(collections);
  });
});
