import { expect, it } from "vitest";
import { granted, startTokenEndpoint } from "../support/token-endpoint.ts";
import { send } from "./support/http-client.ts";
import { serve } from "./support/serve.ts";
import { startUpstream } from "./support/upstream.ts";

const INTERVAL_MS = 500;
/** A server that counts by whole milliseconds is one off at most. */
const ROUNDING_MS = 1;

it("token requests of machines and of users to one token URL are spaced together", async () => {
  const arrivedAtMs: number[] = [];
  const tokenEndpoint = await startTokenEndpoint();
  const upstream = await startUpstream();
  tokenEndpoint.answer((request, count) => {
    arrivedAtMs.push(performance.now());
    return granted({ refresh_token: `refresh-${count}` })(request, count);
  });
  const common = `provider: oauth2, token_url: "${tokenEndpoint.url}", token_requests_per_second: ${1_000 / INTERVAL_MS}`;
  const pillion = await serve(
    `credentials:
  machine: { ${common}, client_id: machine, client_secret: { env: SECRET } }
  user: { ${common}, grant: user, authorize_url: "${tokenEndpoint.url.origin}/authorize", client_id: app }
routes:
  - { name: machine, path: /machine/, credential: machine, upstream: "${upstream.origin}" }
  - { name: user, path: /user/, credential: user, upstream: "${upstream.origin}" }
session: { public_url: "http://localhost:8080" }
`,
    { env: { SECRET: "fake-secret" } },
  );
  try {
    const post = (path: string, members: unknown) =>
      send(pillion.origin + path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(members),
      });
    const opened = await post("/.pillion/sessions", {
      credential: "user",
      redirect_uri: "https://app.example.com/back",
    });
    expect(opened.status).toBe(201);
    const { session, state } = opened.json;
    const [machine, user] = await Promise.all([
      send(`${pillion.origin}/machine/`),
      post("/.pillion/sessions/callback", { session, state, code: "fake-code" }),
    ]);
    expect([machine.status, user.status]).toEqual([200, 200]);
    expect(arrivedAtMs).toHaveLength(2);
    const [first = 0, second = 0] = arrivedAtMs;
    expect(second - first).toBeGreaterThanOrEqual(INTERVAL_MS - ROUNDING_MS);
  } finally {
    await pillion.stop();
    await upstream.close();
    await tokenEndpoint.close();
  }
});
