import { describe, expect, it } from "vitest";
import {
  aRoute,
  eventually,
  type RouteOptions,
  type RunningProxy,
  startProxy,
} from "../support/proxy-harness.ts";
import { connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { closedPort, startRawUpstream } from "../support/upstream.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** An upstream that answers what `answers` says to the request on that connection, and a proxy before it. */
async function setup(
  answers: (text: string, connection: number) => string,
  route: Partial<RouteOptions> = {},
) {
  const stack = new AsyncDisposableStack();
  const carried: number[] = [];
  const upstream = stack.use(
    await startRawUpstream((socket, text, connection) => {
      carried.push(connection);
      socket.write(answers(text, connection), "latin1");
    }),
  );
  const proxy = stack.use(await startProxy({ routes: [aRoute({ upstream: upstream.origin, ...route })] }));
  return { proxy, upstream, carried, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const get = ({ port }: RunningProxy, path = "a", method = "GET") =>
  roundTrip(port, head(`${method} /api/${path}`));

describe("a connection to an upstream carries the next request", () => {
  it("where its answer was whole and nothing was said against it", async () => {
    await using lab = await setup(() => OK);
    for (let turn = 0; turn < 3; turn += 1) expect((await get(lab.proxy)).body).toBe("ok");
    expect(lab.carried).toEqual([1, 1, 1]);
  });

  it("behind a body of the caller's, sized or in chunks", async () => {
    await using lab = await setup((text) => (/(?:body|\r\n0\r\n\r\n)$/.test(text) ? OK : ""));
    const framed = [
      `${head("POST /api/a", "Content-Length: 4")}body`,
      `${head("POST /api/a", "Transfer-Encoding: chunked")}4\r\nbody\r\n0\r\n\r\n`,
    ];
    for (const request of [...framed, ...framed])
      expect((await roundTrip(lab.proxy.port, request)).body).toBe("ok");
    expect(new Set(lab.carried)).toEqual(new Set([1]));
  });

  it.each([
    ["its answer says `close`", OK.replace("content", "connection: close\r\ncontent")],
    ["its answer is one of HTTP/1.0", OK.replace("1.1", "1.0")],
    ["its upstream closes it in 2 s anyhow", OK.replace("content", "keep-alive: timeout=2\r\ncontent")],
    ["bytes came behind its answer", `${OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL`],
  ])("but not where %s", async (_what, answer) => {
    await using lab = await setup(() => answer);
    for (let turn = 0; turn < 2; turn += 1) expect((await get(lab.proxy)).body).toBe("ok");
    expect(lab.carried).toEqual([1, 2]);
  });

  it("but is closed in time where its upstream says how long it waits", async () => {
    await using lab = await setup(() => OK.replace("content", "keep-alive: timeout=3, max=9\r\ncontent"));
    for (let turn = 0; turn < 2; turn += 1) expect((await get(lab.proxy)).body).toBe("ok");
    expect(lab.carried).toEqual([1, 1]);
    const fromMs = performance.now();
    await lab.upstream.idle();
    expect(performance.now() - fromMs).toBeLessThan(3_000);
  });

  it("but not behind HEAD, whose answer a careless server may give a body", async () => {
    await using lab = await setup((text) => (text.startsWith("HEAD") ? `${OK}EVIL` : OK));
    const client = await connectRaw(lab.proxy.port);
    client.send(head("HEAD /api/a"));
    await eventually(() => client.buffered().endsWith("\r\n\r\n"));
    client.socket.destroy();
    expect((await get(lab.proxy)).body).toBe("ok");
    expect(lab.carried).toEqual([1, 2]);
  });

  it("but not where its upstream said something while nobody asked", async () => {
    await using lab = await setup(() => OK);
    expect((await get(lab.proxy)).body).toBe("ok");
    const [socket] = lab.upstream.sockets;
    socket?.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL");
    await lab.upstream.idle();
    expect((await get(lab.proxy)).body).toBe("ok");
    expect(lab.carried).toEqual([1, 2]);
  });

  it("but not where its answer came before the body was sent, and the caller gets that answer", async () => {
    await using lab = await setup((text) => (text.startsWith("POST") ? OK.replace("200 OK", "413 Too") : OK));
    const client = await connectRaw(lab.proxy.port);
    client.send(`${head("POST /api/a", "Content-Length: 1000000")}some`);
    expect((await client.answer()).status).toBe(413);
    client.socket.destroy();
    expect((await get(lab.proxy)).body).toBe("ok");
    expect(lab.carried.at(-1)).toBe(2);
  });

  it("and where it was closed meanwhile another one does, unseen by the caller", async () => {
    await using lab = await setup((_text, connection) => (connection === 1 ? OK : OK.replace("ok", "ko")));
    expect((await get(lab.proxy)).body).toBe("ok");
    for (const socket of lab.upstream.sockets) socket.destroy();
    expect((await get(lab.proxy)).body).toBe("ko");
  });
});

describe("who waits for a connection", () => {
  it("gets one in turn, and none beyond `connections` is opened", async () => {
    const held: (() => void)[] = [];
    await using upstream = await startRawUpstream((socket) => void held.push(() => socket.write(OK)));
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin, connections: 2 })] });
    const answers = [1, 2, 3, 4, 5].map(() => get(proxy));
    for (let turn = 0; turn < 5; turn += 1) {
      await eventually(() => held.length > 0);
      expect(upstream.sockets.size).toBeLessThanOrEqual(2);
      held.shift()?.();
    }
    for (const answer of answers) expect((await answer).body).toBe("ok");
  });

  it("is told that there is none, each of them, where nobody listens", async () => {
    const port = await closedPort();
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: new URL(`http://127.0.0.1:${port}/`), connections: 1 })],
    });
    const answers = await Promise.all([1, 2, 3, 4].map(() => get(proxy)));
    expect(answers.map(({ status }) => status)).toEqual([502, 502, 502, 502]);
  });

  it("is not held up by an answer that nobody reads any more", async () => {
    await using lab = await setup((text) => (text.includes("/first") ? "HTTP/1.1 200 OK\r\n\r\nhalf" : OK), {
      connections: 1,
    });
    const client = await connectRaw(lab.proxy.port);
    client.send(head("GET /api/first"));
    await eventually(() => client.buffered().includes("half"));
    client.socket.resetAndDestroy();
    expect((await get(lab.proxy)).body).toBe("ok");
  });
});
