import { describe, expect, it } from "vitest";
import { aRoute, eventually, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head, type RawClient } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

const leave: readonly (readonly [string, (client: RawClient) => void])[] = [
  ["closes its connection", (client) => void client.socket.destroy()],
  ["resets it", (client) => void client.socket.resetAndDestroy()],
];

/** What counts as a request; a refusal without a status is only a reason. */
const counted = (events: readonly string[]) =>
  events.filter((event) => /finished|rejected/.test(event) && !event.endsWith("undefined"));

describe.each(leave)("B03: a caller that %s", (_name, go) => {
  it("before the upstream's headers ends the upstream's work", async () => {
    await using upstream = await startUpstream(() => {});
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const clients = await Promise.all(Array.from({ length: 20 }, () => connectRaw(proxy.port)));
    for (const client of clients) client.send(head("GET /api/a"));
    await eventually(() => upstream.requests.length === 20);
    for (const client of clients) go(client);
    await upstream.idle();
    await eventually(
      () => proxy.told.events.filter((event) => event === "finished api GET 499").length === 20,
    );
  });

  it("in the middle of the answer ends the upstream's work", async () => {
    await using upstream = await startUpstream((_request, response) => void response.write("half"));
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await eventually(() => client.buffered().includes("half"));
    go(client);
    await upstream.idle();
    await eventually(() => proxy.told.events.includes("finished api GET 200"));
    expect(proxy.told.log.at(-1)?.fields.outcome).toBe("aborted");
  });

  it("in the middle of its body leaves no whole request behind", async () => {
    let ended = false;
    await using upstream = await startUpstream((request) => {
      request.on("error", () => {});
      request.resume().once("end", () => {
        ended = true;
      });
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(`${head("POST /api/a", "Transfer-Encoding: chunked")}4\r\nhalf\r\n`);
    await eventually(() => upstream.requests.length === 1);
    go(client);
    await upstream.idle();
    await eventually(() => proxy.told.log.length > 0);
    expect(ended).toBe(false);
    await eventually(() => proxy.told.events.some((event) => event.startsWith("finished")));
    expect(counted(proxy.told.events)).toEqual(["finished api POST 499"]);
  });

  it("while it waits in a queue takes no socket from others", async () => {
    const answers: (() => void)[] = [];
    await using upstream = await startUpstream(
      (_request, response) => void answers.push(() => response.end("ok")),
    );
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin, connections: 1 })] });
    const [first, second, third] = await Promise.all([1, 2, 3].map(() => connectRaw(proxy.port)));
    first?.send(head("GET /api/first"));
    await eventually(() => upstream.requests.length === 1);
    second?.send(head("GET /api/second"));
    await eventually(() => proxy.told.events.length === 2);
    third?.send(head("GET /api/third"));
    await eventually(() => proxy.told.events.length === 3);
    if (second !== undefined) go(second);
    await eventually(() => proxy.told.events.includes("finished api GET 499"));
    answers.shift()?.();
    await eventually(() => upstream.requests.length === 2);
    answers.shift()?.();
    expect((await third?.answer())?.body).toBe("ok");
    expect(upstream.requests.map(({ url }) => url)).toEqual(["/first", "/third"]);
    expect(upstream.sockets.size).toBe(1);
    first?.socket.destroy();
    third?.socket.destroy();
  });
});

describe("a caller that shuts only its sending side", () => {
  it("still gets its whole answer", async () => {
    await using upstream = await startUpstream((_request, response) => {
      response.write("first ");
      setImmediate(() => response.end("second"));
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.socket.end(head("GET /api/a"));
    expect((await client.answer()).body).toBe("first second");
    await client.closed();
  });
});

describe("a request that ends in the middle of its body", () => {
  const bodies: readonly (readonly [string, string, string, number])[] = [
    ["by a FIN behind half of its length", "Content-Length: 8", "half", 499],
    ["by a FIN between two chunks", "Transfer-Encoding: chunked", "4\r\nhalf\r\n", 499],
    ["by what is no chunk", "Transfer-Encoding: chunked", "4\r\nhalf\r\nbroken\r\n", 400],
  ];
  it.each(bodies)("%s is told so, and counts once", async (_what, framing, body, status) => {
    await using upstream = await startUpstream((request) => void request.resume().on("error", () => {}));
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(`${head("POST /api/a", framing)}${body}`);
    if (status === 499) client.socket.end();
    expect((await client.answer()).status).toBe(400);
    await client.closed();
    await eventually(() => proxy.told.events.some((event) => event.startsWith("finished")));
    expect(counted(proxy.told.events)).toEqual([`finished api POST ${status}`]);
    client.socket.destroy();
  });
});
