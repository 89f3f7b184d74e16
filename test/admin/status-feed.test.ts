import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import type { StatusDocument, TokenStatus, TrafficSample } from "../../src/admin/status-document.ts";
import { createStatusFeed, MAX_LISTENERS } from "../../src/admin/status-feed.ts";
import { createFakeClock } from "../support/fake-clock.ts";

/** What a feed uses of a response; a reader that has stopped reading is full. */
class Reader extends EventEmitter {
  writableNeedDrain = false;
  ended = false;
  destroyed = false;
  text = "";
  write(text: string): boolean {
    this.text += text;
    return true;
  }
  end(): void {
    this.ended = true;
    this.emit("close");
  }
  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
  /** What came since the last look: names and data. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of two shapes
  events(): { readonly event: string; readonly data: any }[] {
    const found = [...this.text.matchAll(/^event: (\w+)\ndata: (.*)\n\n/gm)];
    this.text = "";
    return found.map(([, event = "", data = ""]) => ({ event, data: JSON.parse(data) }));
  }
}

const FIGURES = { requests_per_second: 0, client_error_ratio: 0, server_error_ratio: 0 };

function token(tenant: string, more: Partial<TokenStatus> = {}): TokenStatus {
  return { credential: "q", tenant, grant: "client_credentials", state: "fresh", ...more };
}

function create() {
  const clock = createFakeClock();
  const world = {
    looks: 0,
    costMs: 0,
    fails: false,
    tokens: [token("isb"), token("riverside")],
    routes: ["a"],
    samples: [{ at: 1, ...FIGURES }] as TrafficSample[],
  };
  const feed = createStatusFeed({
    clock,
    async status() {
      world.looks += 1;
      clock.sleep(world.costMs);
      if (world.fails) throw new Error("no status");
      return {
        now: new Date(clock.wall()).toISOString(),
        routes: world.routes,
        credentials: [],
        tokens: world.tokens,
      } as unknown as StatusDocument;
    },
    samples: (after) => world.samples.filter(({ at }) => at > after),
  });
  const listen = (): Reader => {
    const reader = new Reader();
    feed.open(reader as unknown as ServerResponse);
    return reader;
  };
  return { clock, world, feed, listen };
}

describe("the feed of the status", () => {
  it("begins with everything", async () => {
    const { clock, listen } = create();
    const reader = listen();
    expect(reader.text).toBe("retry: 2000\n\n");
    await clock.advance(0);
    const [first, ...others] = reader.events();
    expect(others).toEqual([]);
    expect(first).toMatchObject({
      event: "snapshot",
      data: {
        routes: ["a"],
        credentials: [],
        tokens: [{ tenant: "isb" }, { tenant: "riverside" }],
        samples: [{ at: 1 }],
      },
    });
  });

  it("goes on every second with what has changed, which may be nothing", async () => {
    const { clock, world, listen } = create();
    const reader = listen();
    await clock.advance(0);
    reader.events();
    await clock.advance(1_000);
    const [quiet] = reader.events();
    expect(quiet).toMatchObject({ event: "update", data: { tokens: [], samples: [] } });
    expect(quiet?.data).not.toHaveProperty("routes");
    world.tokens = [token("isb", { state: "expired" }), token("riverside")];
    world.samples.push({ at: 6, ...FIGURES });
    await clock.advance(1_000);
    expect(reader.events()).toMatchObject([
      { event: "update", data: { tokens: [{ tenant: "isb", state: "expired" }], samples: [{ at: 6 }] } },
    ]);
  });

  it("does not take the passing of time, or a clock's last digits, for a change", async () => {
    const { clock, world, listen } = create();
    world.tokens = [
      token("isb", { age_seconds: 1, expires_in_seconds: 9, expires_at: "2030-01-01T00:00:10.000Z" }),
    ];
    const reader = listen();
    await clock.advance(0);
    reader.events();
    world.tokens = [
      token("isb", { age_seconds: 2, expires_in_seconds: 8, expires_at: "2030-01-01T00:00:10.001Z" }),
    ];
    await clock.advance(1_000);
    expect(reader.events()).toMatchObject([{ data: { tokens: [] } }]);
  });

  it.each([
    ["routes change", (world: ReturnType<typeof create>["world"]) => (world.routes = ["a", "b"])],
    ["a token is no more", (world: ReturnType<typeof create>["world"]) => world.tokens.splice(0, 1)],
  ])("sends everything anew when %s", async (_what, change) => {
    const { clock, world, listen } = create();
    const reader = listen();
    await clock.advance(0);
    reader.events();
    change(world);
    await clock.advance(1_000);
    expect(reader.events()).toMatchObject([
      { event: "snapshot", data: { routes: world.routes, tokens: world.tokens } },
    ]);
    await clock.advance(1_000);
    expect(reader.events()).toMatchObject([{ event: "update" }]);
  });

  it("asks for nothing while nobody listens", async () => {
    const { clock, world, listen } = create();
    await clock.advance(10_000);
    expect(world.looks).toBe(0);
    const reader = listen();
    await clock.advance(3_000);
    reader.end();
    const { looks } = world;
    await clock.advance(10_000);
    expect({ looks: world.looks, timers: clock.pending() }).toEqual({ looks, timers: [] });
  });

  it("looks no more often for listeners that come and go, and serves them at once", async () => {
    const { clock, world, listen } = create();
    listen();
    await clock.advance(0);
    for (let index = 0; index < 100; index += 1) {
      const reader = listen();
      expect(reader.events()).toMatchObject([{ event: "snapshot" }]);
      reader.end();
    }
    expect(world.looks).toBe(1);
  });

  it("drops what a slow reader cannot take, and brings it up to date afterwards", async () => {
    const { clock, world, listen } = create();
    const [slow, quick] = [listen(), listen()];
    await clock.advance(0);
    slow.events();
    slow.writableNeedDrain = true;
    world.tokens = [token("isb", { state: "expired" }), token("riverside")];
    await clock.advance(1_000);
    world.tokens = [token("isb", { state: "expired" }), token("riverside", { state: "none" })];
    await clock.advance(5_000);
    expect(slow.events()).toEqual([]);
    expect(quick.events()).toHaveLength(7);
    slow.writableNeedDrain = false;
    await clock.advance(1_000);
    expect(slow.events()).toMatchObject([
      { event: "update", data: { tokens: [{ tenant: "isb" }, { tenant: "riverside", state: "none" }] } },
    ]);
  });

  it("gives up a reader that takes nothing for half a minute", async () => {
    const { clock, listen } = create();
    const reader = listen();
    await clock.advance(0);
    reader.writableNeedDrain = true;
    await clock.advance(30_000);
    expect(reader.destroyed).toBe(false);
    await clock.advance(2_000);
    expect(reader.destroyed).toBe(true);
  });

  it("takes a twentieth of the time at most", async () => {
    const { clock, world, listen } = create();
    world.costMs = 200;
    listen();
    await clock.advance(0);
    expect(clock.pending()).toEqual([4_000]);
  });

  it("gets over a look that fails", async () => {
    const { clock, world, listen } = create();
    world.fails = true;
    const reader = listen();
    await clock.advance(0);
    expect(reader.events()).toEqual([]);
    world.fails = false;
    await clock.advance(1_000);
    expect(reader.events()).toMatchObject([{ event: "snapshot" }]);
  });

  it(`takes ${MAX_LISTENERS} listeners, and another when one has left`, () => {
    const { feed, listen } = create();
    const readers = Array.from({ length: MAX_LISTENERS }, listen);
    expect(() => feed.admit()).toThrow(
      expect.objectContaining({ code: "OVERLOADED", retryAfterSeconds: 30 }),
    );
    readers[0]?.end();
    expect(() => feed.admit()).not.toThrow();
  });

  it("ends with the process", async () => {
    const { clock, feed, listen } = create();
    const reader = listen();
    await clock.advance(0);
    feed.close();
    expect(reader.ended).toBe(true);
    expect(listen().ended).toBe(true);
    expect(clock.pending()).toEqual([]);
  });
});
