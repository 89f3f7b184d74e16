import { describe, expect, it } from "vitest";
import { createEngine, had, spec } from "./engine.ts";

describe("closing", () => {
  it("ends all timers, lets no request hang, and still gives out a valid token", async () => {
    const { sources, clock, endpoint, count } = createEngine();
    const good = sources.source("q", "a", spec());
    await had(good);
    endpoint.reply = () => new Promise(() => {});
    const waiting = had(sources.source("q", "b", spec()));
    const queued = had(sources.source("q", "c", spec({ tokenRequestsPerSecond: 1 })));
    const behind = had(sources.source("q", "d", spec({ tokenRequestsPerSecond: 1 })));
    await clock.advance(10);
    await sources.close();
    expect(await Promise.all([waiting, queued, behind])).toEqual([
      "TOKEN_UNAVAILABLE",
      "TOKEN_UNAVAILABLE",
      "TOKEN_UNAVAILABLE",
    ]);
    await clock.advance(0);
    expect(clock.pending()).toEqual([]);
    const before = count();
    expect(await had(good)).toBe("token-1");
    expect(await had(sources.source("q", "e", spec()))).toBe("TOKEN_UNAVAILABLE");
    expect(count()).toBe(before);
  });
});
