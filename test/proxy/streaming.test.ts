import { createHash, type Hash } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { describe, expect, it } from "vitest";
import { aRoute, eventually, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

const CHUNK = Buffer.alloc(65_536, "pillion ");
const CHUNKS = 1_600; // 100 MiB
/** 20 MiB: what the kernel's socket buffers between the three may hold, with room to spare. */
const BUFFERED_CHUNKS = 320;

/** Writes the same bytes again and again, as fast as they are taken; returns how many were taken so far. */
function pour(stream: NodeJS.WritableStream, chunks: number, hash: Hash): () => number {
  let written = 0;
  const more = (): void => {
    while (written < chunks) {
      written += 1;
      hash.update(CHUNK);
      if (!stream.write(CHUNK)) {
        stream.once("drain", more);
        return;
      }
    }
    stream.end();
  };
  more();
  return () => written;
}

/** The value of a count once it has stood still for a quarter of a second. */
async function settled(count: () => number): Promise<number> {
  for (let before = -1; ; before = count()) {
    if (before > 0 && before === count()) return before;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

describe("U11: bodies stream", () => {
  it("down, and a reader that stands still stops the upstream", async () => {
    const sent = createHash("sha256");
    let poured = (): number => 0;
    await using upstream = await startUpstream((_request, response) => {
      poured = pour(response, CHUNKS, sent);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const call = httpRequest({ port: proxy.port, host: "127.0.0.1", path: "/api/a" }).end();
    const [answer] = await once(call, "response");
    answer.pause();
    expect(await settled(() => poured())).toBeLessThan(BUFFERED_CHUNKS);
    const received = createHash("sha256");
    for await (const chunk of answer) received.update(chunk);
    expect(received.digest("hex")).toBe(sent.digest("hex"));
  });

  it("up, and an upstream that stands still stops the caller", async () => {
    const go = Promise.withResolvers<void>();
    const received = createHash("sha256");
    await using upstream = await startUpstream(async (request, response) => {
      await go.promise;
      for await (const chunk of request) received.update(chunk);
      response.end("thanks");
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const call = httpRequest({ port: proxy.port, host: "127.0.0.1", path: "/api/a", method: "PUT" });
    const sent = createHash("sha256");
    const poured = pour(call, CHUNKS, sent);
    await eventually(() => upstream.requests.length === 1);
    expect(await settled(poured)).toBeLessThan(BUFFERED_CHUNKS);
    go.resolve();
    const [answer] = await once(call, "response");
    answer.resume();
    await once(answer, "end");
    expect(received.digest("hex")).toBe(sent.digest("hex"));
  });

  it("event by event, without waiting for more", async () => {
    let write = (_text: string): void => {};
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
      write = (text) => void response.write(text);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/events"));
    await eventually(() => client.buffered().includes("text/event-stream"));
    for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
      write(event);
      await eventually(() => client.buffered().includes(event));
    }
    client.socket.destroy();
    await upstream.idle();
  });
});
