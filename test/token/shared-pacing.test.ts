import { describe, expect, it } from "vitest";
import { silentLogger } from "../../src/core/log.ts";
import { createFleetSlots } from "../../src/token/fleet-slots.ts";
import { createPacer, type FleetSlots, type Pacer } from "../../src/token/pacer.ts";
import { createPromptStore } from "../../src/token/prompt-store.ts";
import { createScriptedStore } from "../session/scripted-vault.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";

const never = new AbortController().signal;
const QMATIC = "https://api.eu-west-1.qmatic.io/oauth2/token";

function lab(processes: number) {
  const clock = createFakeClock();
  const store = createScriptedStore(clock);
  const vaults = Array.from({ length: processes }, () => store.vault());
  const pacers = vaults.map((vault, index) => {
    const slots = createFleetSlots(createPromptStore({ clock, log: silentLogger, vault: () => vault }));
    return createPacer(clock, { slots, random: () => (index * 0.61) % 1 });
  });
  return { clock, vaults, pacers };
}

/** When turns began, each exchange taking `exchangeMs`. */
function turns(clock: FakeClock, pacers: readonly Pacer[], each: number, rate: number, exchangeMs: number) {
  const startMs = clock.now();
  const atMs: number[] = [];
  for (const pacer of pacers) {
    for (let count = 0; count < each; count += 1) {
      void pacer.turn(QMATIC, rate, never).then((turn) => {
        atMs.push(clock.now() - startMs);
        clock.schedule(exchangeMs, turn.done);
      });
    }
  }
  return atMs;
}

const gaps = (atMs: readonly number[]): readonly number[] =>
  atMs.slice(1).map((time, index) => time - (atMs[index] ?? 0));

describe("token requests of a whole fleet to one token URL", () => {
  it.each([
    ["answered at once", 1, 0, 1_000, 1_150],
    ["answered after 200 ms", 1, 200, 1_200, 1_350],
    ["that hang", 1, 60_000, 2_000, 2_150],
    ["at ten a second", 10, 0, 100, 140],
  ])("%s are spaced as those of one process", async (_what, rate, exchangeMs, leastMs, mostMs) => {
    const { clock, pacers } = lab(5);
    const atMs = turns(clock, pacers, 3, rate, exchangeMs);
    await clock.advance(40_000);
    expect(atMs).toHaveLength(15);
    expect(Math.min(...gaps(atMs))).toBeGreaterThanOrEqual(leastMs);
    expect(Math.max(...gaps(atMs))).toBeLessThanOrEqual(mostMs);
  });

  it("not spaced ask nobody", async () => {
    const { clock, vaults, pacers } = lab(2);
    const atMs = turns(clock, pacers, 4, Number.POSITIVE_INFINITY, 0);
    await clock.advance(0);
    expect(atMs).toEqual(Array(8).fill(0));
    expect(vaults.flatMap(({ operations }) => operations)).toEqual([]);
  });

  it("are spaced by each process for itself while the store is down", async () => {
    const { clock, vaults, pacers } = lab(2);
    for (const vault of vaults) vault.down = true;
    const atMs = turns(clock, pacers, 3, 1, 0);
    await clock.advance(3_000);
    expect(atMs).toEqual([0, 0, 1_000, 1_000, 2_000, 2_000]);
  });

  it("go on within the interval after a process died in its turn", async () => {
    const { clock, pacers } = lab(2);
    await pacers[0]?.turn(QMATIC, 1, never);
    const atMs = turns(clock, pacers.slice(1), 1, 1, 0);
    await clock.advance(2_100);
    expect(atMs).toHaveLength(1);
  });

  it("give back a slot that nobody is left to use", async () => {
    const ended: number[] = [];
    const slot = { endAfter: (ttlMs: number) => void ended.push(ttlMs) };
    const claimed = Promise.withResolvers<typeof slot>();
    const slots: FleetSlots = { claim: () => claimed.promise };
    const clock = createFakeClock();
    const pacer = createPacer(clock, { slots, random: () => 0 });
    const leaving = new AbortController();
    const left = pacer.turn(QMATIC, 1, leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    claimed.resolve(slot);
    await clock.advance(0);
    expect(ended).toEqual([0]);
  });
});

function createPacerOf(processes: number | undefined): { readonly clock: FakeClock; readonly pacer: Pacer } {
  if (processes !== undefined) {
    const { clock, pacers } = lab(processes);
    return { clock, pacer: pacers[0] as Pacer };
  }
  const clock = createFakeClock();
  return { clock, pacer: createPacer(clock) };
}

describe("turns at a spaced token URL", () => {
  it.each([
    ["one process", () => createPacerOf(undefined)],
    ["a fleet", () => createPacerOf(2)],
  ])("go to those that a request waits for first, in %s", async (_what, create) => {
    const { clock, pacer } = create();
    const begun: string[] = [];
    let isFourthAwaited = false;
    const join = (name: string, isAwaited: () => boolean): void => {
      void pacer.turn(QMATIC, 1, never, isAwaited).then((turn) => {
        begun.push(name);
        turn.done();
      });
    };
    join("renewal 1", () => false);
    await clock.advance(0);
    for (const name of ["renewal 2", "renewal 3"]) join(name, () => false);
    join("renewal 4", () => isFourthAwaited);
    join("request", () => true);
    await clock.advance(1_500);
    expect(begun).toEqual(["renewal 1", "request"]);
    isFourthAwaited = true;
    await clock.advance(10_000);
    expect(begun).toEqual(["renewal 1", "request", "renewal 4", "renewal 2", "renewal 3"]);
  });
});
