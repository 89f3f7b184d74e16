import { afterEach, describe, expect, it } from "vitest";
import { startUpstream } from "../e2e/support/upstream.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { granted, startTokenEndpoint } from "../support/token-endpoint.ts";
import { examine } from "./lab.ts";

/** More than would be asked at once by a pool of any usual size. */
const COUNT = 12;

describe("what is examined", () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.close()));
  });
  const opened = async <T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const server = await starting;
    open.push(server);
    return server;
  };

  it("waits for nothing but its own answer: none is given until everything has been asked", async () => {
    const endpoint = await opened(startTokenEndpoint());
    const upstreams = await Promise.all(Array.from({ length: COUNT }, () => opened(startUpstream())));
    const allAsked = Promise.all([
      endpoint.received(COUNT),
      ...upstreams.map((upstream) => upstream.received(1)),
    ]);
    endpoint.answer((request, count) => ({ ...granted()(request, count), after: allAsked }));
    for (const upstream of upstreams) {
      upstream.respond((_request, response) => void allAsked.then(() => response.writeHead(204).end()));
    }
    const names = upstreams.map((_upstream, index) => `api-${index}`);
    const credentials = names.map(
      (name) =>
        `  ${name}: { provider: oauth2, token_url: "${endpoint.url}?${name}", client_id: ${name}, client_secret: { env: SECRET } }\n`,
    );
    const routes = upstreams.map(
      ({ origin }, index) =>
        `  - { name: ${names[index]}, path: /${names[index]}/, upstream: "${origin}", credential: ${names[index]} }\n`,
    );
    const findings = await examine(`credentials:\n${credentials.join("")}routes:\n${routes.join("")}`);
    expect(findings.filter(({ status }) => status !== "ok")).toEqual([]);
    expect(endpoint.requests).toHaveLength(COUNT);
  });

  it("keeps to Qmatic's one token request a second over all tenants", async () => {
    const clock = createFakeClock();
    const startedAtMs = clock.now();
    const endpoint = await opened(startTokenEndpoint());
    const askedAtMs: number[] = [];
    endpoint.answer((request, count) => {
      askedAtMs.push(clock.now() - startedAtMs);
      return granted()(request, count);
    });
    const tenants = ["isb", "riverside", "harbor"].map(
      (name) => `      ${name}: { tenant_id: "1", client_id: ${name}, client_secret: { env: SECRET } }\n`,
    );
    const examining = examine(
      `credentials:
  qmatic:
    provider: qmatic
    region: eu-west-1
    token_url: "${endpoint.url}"
    scopes: [book]
    tenants:
${tenants.join("")}`,
      { clock },
    );
    await endpoint.received(1);
    for (const asked of [1, 2]) {
      await clock.advance(999);
      expect(endpoint.requests).toHaveLength(asked);
      await clock.advance(1);
      await endpoint.received(asked + 1);
    }
    const ofCredentials = (await examining).filter(({ subject }) => subject.kind === "credential");
    expect(ofCredentials.map(({ status }) => status)).toEqual(["ok", "ok", "ok"]);
    expect(askedAtMs).toEqual([0, 1_000, 2_000]);
  });
});
