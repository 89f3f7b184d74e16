import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createTraffic,
  quantile,
  type RouteTotals,
  TRAFFIC_INTERVAL_MS,
  type TrafficTotals,
} from "../../src/admin/status-traffic.ts";
import { createFakeClock } from "../support/fake-clock.ts";

function totals(routes: Readonly<Record<string, Partial<RouteTotals>>>, inFlight = 0): TrafficTotals {
  const none: RouteTotals = { requests: 0, clientErrors: 0, serverErrors: 0, durations: [0, 0, 0] };
  const named = Object.entries(routes).map(([name, part]) => [name, { ...none, ...part }] as const);
  return { routes: new Map(named), inFlight };
}

function create(first: TrafficTotals) {
  const clock = createFakeClock();
  const counters = { bounds: [0.1, 1], present: first, readings: 0, costMs: 0 };
  const traffic = createTraffic(clock, {
    bounds: counters.bounds,
    async read() {
      counters.readings += 1;
      clock.sleep(counters.costMs);
      return counters.present;
    },
  });
  return { clock, counters, traffic };
}

describe("rates of traffic", () => {
  it("are the differences between two readings", async () => {
    const { clock, counters, traffic } = create(totals({ a: { requests: 1_000, serverErrors: 900 } }));
    traffic.start();
    await clock.advance(0);
    counters.present = totals(
      {
        a: { requests: 1_010, serverErrors: 901, clientErrors: 2, durations: [10, 0, 0] },
        "": { requests: 10 },
      },
      3,
    );
    await clock.advance(TRAFFIC_INTERVAL_MS);
    expect(traffic.recent()).toEqual({
      window_seconds: 5,
      in_flight: 3,
      requests_per_second: 4,
      client_error_ratio: 0.1,
      server_error_ratio: 0.05,
      latency_p50_seconds: 0.05,
      latency_p95_seconds: 0.095,
      routes: {
        a: {
          requests_per_second: 2,
          client_error_ratio: 0.2,
          server_error_ratio: 0.1,
          latency_p50_seconds: 0.05,
          latency_p95_seconds: 0.095,
        },
      },
    });
  });

  it("forget after a minute, and keep ten minutes of samples", async () => {
    const { clock, counters, traffic } = create(totals({}));
    traffic.start();
    await clock.advance(0);
    counters.present = totals({ a: { requests: 600 } });
    await clock.advance(60_000);
    expect(traffic.recent()).toMatchObject({ window_seconds: 60, requests_per_second: 10 });
    await clock.advance(TRAFFIC_INTERVAL_MS);
    expect(traffic.recent()).toMatchObject({ requests_per_second: 0, routes: {} });
    await clock.advance(3_600_000);
    expect(traffic.samples(0)).toHaveLength(120);
    expect(traffic.samples(clock.wall() / 1_000 - 11)).toHaveLength(3);
  });

  it("are nothing before there are two readings", () => {
    const { traffic } = create(totals({ a: { requests: 5 } }));
    expect(traffic.recent()).toMatchObject({ window_seconds: 0, requests_per_second: 0, in_flight: 0 });
    expect(traffic.samples(0)).toEqual([]);
  });

  it("cost a thousandth of the time at most, and nothing after the end", async () => {
    const { clock, counters, traffic } = create(totals({}));
    counters.costMs = 20;
    traffic.start();
    await clock.advance(0);
    expect(clock.pending()).toEqual([20_000]);
    traffic.stop();
    await clock.advance(60_000);
    expect(counters.readings).toBe(1);
  });
});

describe("a quantile of a histogram", () => {
  it.each([
    [0.5, [10, 0, 0], 0.05],
    [0.5, [5, 5, 0], 0.1],
    [0.75, [5, 5, 0], 0.55],
    [1, [5, 5, 0], 1],
    [0.95, [0, 0, 7], 1],
    [0.5, [0, 0, 0], undefined],
    [0.5, [], undefined],
  ])("%d of %j is %s", (q, counts, expected) => {
    expect(quantile(q, counts, [0.1, 1])).toBe(expected);
  });

  it("lies within the bounds, and grows with what is asked for", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(50), { minLength: 4, maxLength: 4 }).filter((counts) => counts.some(Boolean)),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (counts, one, other) => {
          const [low, high] = [Math.min(one, other), Math.max(one, other)].map(
            (q) => quantile(q, counts, [0.1, 1, 10]) ?? Number.NaN,
          );
          expect(low).toBeLessThanOrEqual((high ?? 0) + 1e-9);
          expect(low).toBeGreaterThanOrEqual(0);
          expect(high).toBeLessThanOrEqual(10);
        },
      ),
    );
  });
});
