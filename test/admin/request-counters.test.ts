import { describe, expect, it } from "vitest";
import { createMetrics } from "../../src/admin/metrics.ts";

const create = () =>
  createMetrics({ version: "0.0.0", node: "v26.10.0" }, { sessions: async () => new Map() });

async function valueIn(metrics: ReturnType<typeof create>, series: string): Promise<number | undefined> {
  const line = (await metrics.text()).split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

const REQUESTS = `pillion_requests_total{route="a",tenant="t",method="GET",code="200"}`;
const SERVED = `pillion_token_served_total{credential="c",source="cached"}`;
const FLYING = `pillion_requests_in_flight{route="a"}`;

describe("counters of requests", () => {
  it("go on from one scrape to the next, and stand still when nothing happens", async () => {
    const metrics = create();
    const destination = metrics.proxy.destination("a", "t");
    const answer = (): void => {
      destination.started();
      destination.finished("GET", 200, 0.01, 0.005);
    };
    answer();
    answer();
    expect(await valueIn(metrics, REQUESTS)).toBe(2);
    expect(await valueIn(metrics, REQUESTS)).toBe(2);
    answer();
    expect(await valueIn(metrics, REQUESTS)).toBe(3);
  });

  it("are one series for a destination that was closed and made again, whose requests still end", async () => {
    const metrics = create();
    const earlier = metrics.proxy.destination("a", "t");
    earlier.started();
    expect(await valueIn(metrics, FLYING)).toBe(1);
    const later = metrics.proxy.destination("a", "t");
    later.started();
    expect(await valueIn(metrics, FLYING)).toBe(2);
    earlier.finished("GET", 200, 0.01, 0.005);
    later.finished("GET", 200, 0.01, 0.005);
    expect(await valueIn(metrics, FLYING)).toBe(0);
    expect(await valueIn(metrics, REQUESTS)).toBe(2);
  });

  it("lose nothing where many of them are made before anybody reads", async () => {
    const metrics = create();
    for (let reload = 0; reload < 2_500; reload += 1) {
      const destination = metrics.proxy.destination("a", "t");
      destination.started();
      destination.finished("GET", 200, 0.01, 0.005);
    }
    expect(await valueIn(metrics, REQUESTS)).toBe(2_500);
  });

  it("are what the status page reads too", async () => {
    const metrics = create();
    const destination = metrics.proxy.destination("a", undefined);
    destination.started();
    destination.started();
    destination.finished("GET", 503, 0.01, undefined);
    const { routes, inFlight } = await metrics.traffic.read();
    expect(inFlight).toBe(1);
    expect(routes.get("a")).toMatchObject({ requests: 1, serverErrors: 1 });
  });

  it("of tokens handed out do the same", async () => {
    const metrics = create();
    const credential = metrics.token.credential("c", undefined, "client_credentials");
    credential.served("cached");
    expect(await valueIn(metrics, SERVED)).toBe(1);
    credential.served("cached");
    expect(await valueIn(metrics, SERVED)).toBe(2);
  });
});
