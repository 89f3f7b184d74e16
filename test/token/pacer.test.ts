import { describe, expect, it } from "vitest";
import { createPacer, type Turn } from "../../src/token/pacer.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";

const never = new AbortController().signal;
const QMATIC = "https://api.eu-west-1.qmatic.io/oauth2/token";

function queue(count: number, requestsPerSecond: number, exchangeMs: number) {
  const clock = createFakeClock();
  const pacer = createPacer(clock);
  const startMs = clock.now();
  const begun: { readonly name: number; readonly atMs: number }[] = [];
  for (let name = 0; name < count; name += 1) {
    void pacer.turn(QMATIC, requestsPerSecond, never).then((turn) => {
      begun.push({ name, atMs: clock.now() - startMs });
      clock.schedule(exchangeMs, turn.done);
    });
  }
  return { clock, pacer, begun, startMs };
}

describe("requests to one token URL", () => {
  it.each([
    ["answered at once", 1, 0, [0, 1_000, 2_000, 3_000]],
    ["answered after 200 ms", 1, 200, [0, 1_200, 2_400, 3_600]],
    ["that hang", 1, 60_000, [0, 2_000, 4_000, 6_000]],
    ["at four a second", 4, 0, [0, 250, 500, 750]],
    ["at one in two seconds", 0.5, 0, [0, 2_000, 4_000, 6_000]],
    ["not spaced", Number.POSITIVE_INFINITY, 500, [0, 0, 0, 0]],
  ])("%s are spaced, first come first served", async (_what, rate, exchangeMs, times) => {
    const { clock, begun } = queue(4, rate, exchangeMs);
    await clock.advance(10_000);
    expect(begun.map(({ name }) => name)).toEqual([0, 1, 2, 3]);
    expect(begun.map(({ atMs }) => atMs)).toEqual(times);
  });

  it("are spaced after a pause too, from the last one on", async () => {
    const { clock, pacer } = queue(1, 1, 0);
    await clock.advance(400);
    let begun = false;
    void pacer.turn(QMATIC, 1, never).then(() => {
      begun = true;
    });
    await clock.advance(599);
    expect(begun).toBe(false);
    await clock.advance(1);
    expect(begun).toBe(true);
  });

  it("are 32 at a time at most", async () => {
    const { clock, begun } = queue(70, Number.POSITIVE_INFINITY, 1_000);
    await clock.advance(0);
    expect(begun).toHaveLength(32);
    await clock.advance(1_000);
    expect(begun).toHaveLength(64);
    await clock.advance(1_000);
    expect(begun).toHaveLength(70);
  });

  it("do not hold up those to another URL", async () => {
    const { clock, pacer } = queue(5, 1, 60_000);
    const other = await pacer.turn("https://other.example/token", 1, never);
    expect(other).toBeDefined();
    expect(clock.pending()).not.toEqual([]);
  });

  it("leave the queue when they are cancelled, without using a turn", async () => {
    const { clock, pacer, begun } = queue(1, 1, 0);
    const leaving = new AbortController();
    const left = pacer.turn(QMATIC, 1, leaving.signal);
    let next: Turn | undefined;
    void pacer.turn(QMATIC, 1, never).then((turn) => {
      next = turn;
    });
    await clock.advance(500);
    leaving.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    await clock.advance(500);
    expect(begun).toHaveLength(1);
    expect(next).toBeDefined();
    await expect(pacer.turn(QMATIC, 1, leaving.signal)).rejects.toThrow("gone");
  });

  it("count a turn once, however often it is said to be done", async () => {
    const clock = createFakeClock();
    const pacer = createPacer(clock);
    const turns = await Promise.all(
      Array.from({ length: 32 }, () => pacer.turn(QMATIC, Number.POSITIVE_INFINITY, never)),
    );
    turns[0]?.done();
    turns[0]?.done();
    let begun = 0;
    for (let more = 0; more < 2; more += 1) {
      void pacer.turn(QMATIC, Number.POSITIVE_INFINITY, never).then(() => {
        begun += 1;
      });
    }
    await settle();
    expect(begun).toBe(1);
  });
});
