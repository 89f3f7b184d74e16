import { afterEach, describe, expect, it } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { createTokenSources } from "../../src/token/token-sources.ts";
import {
  granted,
  refused,
  reset,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { createSecrets, had, hadNow, spec } from "./engine.ts";

let server: ScriptedTokenEndpoint;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await server.close();
});

function engine() {
  const quiet = { requested() {}, expiry() {}, served() {}, unavailable() {} };
  const sources = createTokenSources({
    clock: createSystemClock(),
    random: Math.random,
    log: silentLogger,
    secrets: createSecrets(),
    observer: { credential: () => quiet },
  });
  closing.push(() => sources.close());
  return sources;
}

describe("the engine over real sockets and the machine's clock", () => {
  it("fetches once, then answers without waiting", async () => {
    server = await startTokenEndpoint();
    const source = engine().source("c", undefined, spec({ tokenUrl: server.url }));
    expect(await Promise.all([had(source), had(source)])).toEqual(["token-1", "token-1"]);
    expect(hadNow(source)).toBe("token-1");
    expect(server.requests).toHaveLength(1);
  });

  it("recovers by itself", async () => {
    server = await startTokenEndpoint();
    server.answer(reset, granted());
    const source = engine().source("c", undefined, spec({ tokenUrl: server.url }));
    expect(await had(source)).toBe("TOKEN_UNAVAILABLE");
    await server.received(2);
    // The answer is on its way: the next request is answered from it, or waits for it.
    await expect.poll(() => had(source)).toBe("token-2");
  });

  it("spaces requests to one token URL as the server counts them", async () => {
    server = await startTokenEndpoint();
    const arrivals: number[] = [];
    server.answer((request, count) => {
      arrivals.push(performance.now());
      return granted()(request, count);
    });
    const sources = engine();
    const every = spec({ tokenUrl: server.url, tokenRequestsPerSecond: 20 });
    await Promise.all(["a", "b", "c", "d"].map((tenant) => had(sources.source("q", tenant, every))));
    const gaps = arrivals.slice(1).map((at, n) => at - (arrivals[n] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(49);
  });

  it("goes to the endpoint 32 times at once at most", async () => {
    server = await startTokenEndpoint();
    const { promise, resolve } = Promise.withResolvers<void>();
    server.answer({ ...refused(400, "invalid_scope"), after: promise });
    const sources = engine();
    const waiting = Array.from({ length: 100 }, (_, n) =>
      had(sources.source("q", `t${n}`, spec({ tokenUrl: server.url }))),
    );
    await server.received(32);
    expect(server.requests).toHaveLength(32);
    resolve();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["TOKEN_REJECTED"]));
    expect(server.requests).toHaveLength(100);
  });
});
