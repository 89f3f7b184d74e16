import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.ts";
import { expectProblem } from "./support/expectations.ts";
import { send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

describe("more connections than limits.connections", () => {
  let upstream: Upstream;
  let pillion: Serving;
  beforeAll(async () => {
    upstream = await startUpstream();
    pillion = await serve(`limits: { connections: 5 }
routes:
  - { name: plain, path: /plain/, credential: none, upstream: "${upstream.origin}/" }
`);
  });
  afterAll(async () => {
    await pillion.stop();
    await upstream.close();
  });

  it("are told 503 OVERLOADED with Retry-After, and served once there is room", async () => {
    const { port } = new URL(pillion.origin);
    const holders: Socket[] = [];
    for (let count = 0; count < 5; count += 1) {
      const socket = connect(Number(port), "127.0.0.1");
      await once(socket, "connect");
      holders.push(socket);
    }
    const refused = await eventually("it is full", async () => {
      const reply = await send(`${pillion.origin}/plain/x`);
      return reply.status !== 200 && reply;
    });
    expectProblem(refused, 503, "OVERLOADED");
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect((await send(`${pillion.adminOrigin}/livez`)).status, "the admin listener is apart").toBe(200);
    for (const socket of holders) socket.destroy();
    await eventually("there is room", async () => (await send(`${pillion.origin}/plain/x`)).status === 200);
  });
});
