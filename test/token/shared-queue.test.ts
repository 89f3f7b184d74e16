import { describe, expect, it } from "vitest";
import { had, spec } from "./engine.ts";
import { createSharedLab } from "./shared-lab.ts";

const TENANTS = Array.from({ length: 5 }, (_, index) => `t${index}`);
const REPLICAS = 4;

const specOf = (tenant: string) =>
  spec({ clientId: { kind: "literal", value: tenant }, tokenRequestsPerSecond: 1 });

describe("replicas that queue at a spaced token URL, since the store was away when they asked,", () => {
  const lab = createSharedLab();
  const replicas = lab.replicas(REPLICAS);
  const asked = replicas.map(({ sources }) =>
    TENANTS.map((tenant) => sources.source("c", tenant, specOf(tenant))),
  );
  const everybody = () => Promise.all(asked.flat().map(had));

  it("take the tokens that come into the store once it is back, and ask for none twice", async () => {
    for (const { vault } of replicas) vault.down = true;
    const first = everybody();
    await lab.clock.advance(100);
    // Each by itself, as it must be without a store.
    expect(lab.endpoint.requests).toHaveLength(REPLICAS);
    for (const { vault } of replicas) vault.down = false;
    await lab.clock.advance(9_000);
    const tokens = await first;
    expect(tokens.every((token) => token.startsWith("token-"))).toBe(true);
    expect(lab.endpoint.requests.length).toBeLessThanOrEqual(REPLICAS + TENANTS.length + 1);
  });

  it("then have nothing left in the queue", async () => {
    const before = lab.endpoint.requests.length;
    await lab.clock.advance(60_000);
    expect(lab.endpoint.requests).toHaveLength(before);
  });
});
