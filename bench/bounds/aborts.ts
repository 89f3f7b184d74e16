import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { serve } from "../../test/e2e/support/serve.ts";
import { head } from "../../test/support/raw-client.ts";
import { silence, startTokenEndpoint } from "../../test/support/token-endpoint.ts";
import { type Finding, type Scale, scaled } from "./finding.ts";
import { descriptors, portOf, residentMiB, timeUntil } from "./process.ts";
import { startBoundsUpstream, startCallers } from "./upstream.ts";

const LIMIT_MS = 1_000;
const BATCH = 250;

/** Before the headers, in the middle of the answer, of the own body, and while a token is awaited. */
const REQUESTS = [
  head("GET /plain/never"),
  head("GET /plain/half"),
  `${head("PUT /plain/never", "Content-Length: 100")}half`,
  head("GET /waits/ok"),
];

/** Callers that leave at every stage; afterwards the process must hold what it held before. */
export async function aborts(scale: Scale): Promise<Finding> {
  const count = scaled(10_000, scale);
  const tokens = await startTokenEndpoint();
  tokens.answer(silence);
  await using upstream = await startBoundsUpstream();
  await using pillion = await serve(
    `credentials:
  app: { provider: oauth2, token_url: "${tokens.url.href}", client_id: me, client_secret: { env: SECRET } }
routes:
  - { name: plain, path: /plain/, credential: none, upstream: "${upstream.origin}/", connections: 512 }
  - { name: waits, path: /waits/, credential: app, upstream: "${upstream.origin}/" }
`,
    { env: { SECRET: "s" } },
  );
  try {
    const warming = startCallers(`${pillion.origin}/plain/ok`, 8);
    await delay(300);
    await warming.end();
    await delay(200);
    const before = descriptors(pillion);
    const beforeMiB = residentMiB(pillion);
    for (let sent = 0; sent < count; sent += BATCH) {
      const sockets: Socket[] = [];
      for (let index = 0; index < Math.min(BATCH, count - sent); index += 1) {
        const socket = connect(portOf(pillion), "127.0.0.1");
        socket.on("error", () => {});
        socket.resume();
        socket.write(REQUESTS[index % REQUESTS.length] ?? "");
        sockets.push(socket);
      }
      await delay(100);
      for (const [index, socket] of sockets.entries()) {
        if (index % 8 < 4) socket.destroy();
        else socket.resetAndDestroy();
      }
    }
    const tookMs = await timeUntil(() => descriptors(pillion) <= before, 10_000);
    const after = descriptors(pillion);
    return {
      ok: tookMs !== undefined && tookMs <= LIMIT_MS,
      text:
        `${count} aborts: ${before} descriptors before, ${after} after ` +
        `${tookMs === undefined ? "10 s, too many" : `${tookMs.toFixed(0)} ms`} (limit ${LIMIT_MS} ms); ` +
        `resident set ${beforeMiB.toFixed(1)} MiB, then ${residentMiB(pillion).toFixed(1)} MiB`,
    };
  } finally {
    await tokens.close();
  }
}
