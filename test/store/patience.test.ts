import { describe, expect, it } from "vitest";
import { createPatience } from "../../src/store/patience.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";

describe("patience", () => {
  it("ends after its time, or up to a tick later for whoever comes in the middle of one", async () => {
    const clock = createFakeClock();
    const patience = createPatience(clock, 10);
    const over: string[] = [];
    patience.wait(30, () => over.push("first"));
    await clock.advance(5);
    patience.wait(30, () => over.push("second"));
    await clock.advance(24);
    expect(over).toEqual([]);
    await clock.advance(1);
    expect(over).toEqual(["first"]);
    await clock.advance(10);
    expect(over).toEqual(["first", "second"]);
    expect(clock.pending()).toEqual([]);
  });

  it("does not count what this process slept through", async () => {
    const clock = createFakeClock();
    const patience = createPatience(clock, 10);
    let isOver = false;
    patience.wait(30, () => {
      isOver = true;
    });
    clock.sleep(60_000);
    await clock.advance(19);
    expect(isOver).toBe(false);
    await clock.advance(11);
    expect(isOver).toBe(true);
    expect(patience.spentMs()).toBe(30);
  });

  it("that is not needed any more leaves no timer behind", () => {
    const clock = createFakeClock();
    const patience = createPatience(clock, 10);
    const [one, two] = [patience.wait(30, () => {}), patience.wait(30, () => {})];
    one.cancel();
    one.cancel();
    expect(clock.pending()).toHaveLength(1);
    two.cancel();
    expect(clock.pending()).toEqual([]);
  });

  it("given up and begun anew in the moment of a tick goes no faster", async () => {
    let now = 0;
    const timers: (() => void)[] = [];
    const clock = {
      now: () => now,
      wall: () => now,
      schedule: (_delayMs: number, task: () => void) => {
        timers.push(task);
        return { cancel: () => {} };
      },
    };
    const patience = createPatience(clock, 10);
    for (let round = 0; round < 5; round += 1) {
      const waiting = patience.wait(10, () => {});
      now += 10;
      timers.shift()?.();
      waiting.cancel();
    }
    patience.wait(10, () => {});
    await settle();
    expect(patience.spentMs()).toBe(0);
    expect(timers).toHaveLength(1);
  });

  it("may begin anew when it ends", async () => {
    const clock = createFakeClock();
    const patience = createPatience(clock, 10);
    let times = 0;
    const again = (): void => {
      times += 1;
      if (times < 3) patience.wait(10, again);
    };
    patience.wait(10, again);
    await clock.advance(100);
    expect(times).toBe(3);
    expect(clock.pending()).toEqual([]);
  });
});
