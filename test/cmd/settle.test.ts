import { describe, expect, it } from "vitest";
import { settleWhenIdle } from "../../cmd/settle.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const MIB = 1_048_576;

function createProcess({ residentMiB = 70, keptMiB = 60, utilization = 0 } = {}) {
  const clock = createFakeClock();
  const state = { residentMiB, keptMiB, utilization, collections: 0 };
  settleWhenIdle({
    clock,
    residentBytes: () => state.residentMiB * MIB,
    utilization: () => state.utilization,
    collect() {
      state.collections++;
      state.residentMiB = Math.min(state.residentMiB, state.keptMiB);
    },
  });
  return { clock, state };
}

describe("an idle process", () => {
  it("gives back, a second after it began to serve, what its start left behind", async () => {
    const { clock, state } = createProcess();
    await clock.advance(999);
    expect(state.collections).toBe(0);
    await clock.advance(1);
    expect(state.collections).toBe(1);
  });

  it("gives back what a burst left, ten minutes later, and keeps its compiled code for the next one till then", async () => {
    const { clock, state } = createProcess();
    await clock.advance(1_000);
    Object.assign(state, { residentMiB: 130, utilization: 0.4 });
    await clock.advance(1_200_000);
    expect(state.collections).toBe(1);
    state.utilization = 0.01;
    await clock.advance(599_999);
    expect(state.collections).toBe(1);
    await clock.advance(1);
    expect(state.collections).toBe(2);
  });

  it("does not collect again and again where nothing is to be had", async () => {
    const { clock, state } = createProcess({ residentMiB: 130, keptMiB: 130 });
    await clock.advance(6_000_000);
    expect(state.collections).toBe(1);
  });

  it("lets alone what grew by less than 8 MiB", async () => {
    const { clock, state } = createProcess();
    await clock.advance(1_000);
    state.residentMiB = state.keptMiB + 7.9;
    await clock.advance(1_200_000);
    expect(state.collections).toBe(1);
    state.residentMiB = state.keptMiB + 8;
    await clock.advance(600_000);
    expect(state.collections).toBe(2);
  });

  it("waits for its first rest when it is busy from the start", async () => {
    const { clock, state } = createProcess({ utilization: 0.021 });
    await clock.advance(60_000);
    expect(state.collections).toBe(0);
    state.utilization = 0.02;
    await clock.advance(1_000);
    expect(state.collections).toBe(1);
  });
});
