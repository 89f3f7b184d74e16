import { describe, expect, it } from "vitest";
import { createEngine, had, hadNow, refusedConnection, spec } from "./engine.ts";

const HOUR_MS = 3_600_000;

describe("T11: a wall clock that is set", () => {
  it("an hour ahead makes one recheck, not a storm", async () => {
    const { sources, clock, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    await clock.advance(60_000);
    clock.setWall(clock.wall() + 2 * HOUR_MS);
    expect(await Promise.all([had(source), had(source), had(source)])).toEqual([
      "token-2",
      "token-2",
      "token-2",
    ]);
    await clock.advance(60_000);
    expect(hadNow(source)).toBe("token-2");
    expect(count()).toBe(2);
  });

  it("ahead while the token endpoint is down: the token is used for as long as monotonic time says", async () => {
    const { sources, clock, count, endpoint } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    await clock.advance(60_000);
    endpoint.reply = refusedConnection;
    clock.setWall(clock.wall() + 2 * HOUR_MS);
    expect(await had(source)).toBe("token-1");
    for (let request = 0; request < 100; request += 1) expect(hadNow(source)).toBe("token-1");
    expect(count()).toBe(2);
    await clock.advance(HOUR_MS);
    expect(await had(source)).toBe("TOKEN_UNAVAILABLE");
  });

  it("an hour back changes nothing", async () => {
    const { sources, clock, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    clock.setWall(clock.wall() - HOUR_MS);
    expect(hadNow(source)).toBe("token-1");
    expect(count()).toBe(1);
    clock.sleep(HOUR_MS);
    expect(await had(source)).toBe("token-2");
  });
});

describe("a machine that slept past the expiry", () => {
  it("sends no expired token, though no timer has fired yet", async () => {
    const { sources, clock, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    clock.sleep(8 * HOUR_MS);
    expect(hadNow(source)).toBe("(waits)");
    expect(await had(source)).toBe("token-2");
    expect(count()).toBe(2);
  });
});
