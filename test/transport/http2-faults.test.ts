import type { ServerHttp2Stream } from "node:http2";
import { describe, expect, it } from "vitest";
import {
  CODE,
  FLAG,
  FRAME,
  type FrameConnection,
  STATUS_200,
  startFrameServer,
} from "../support/http2-frames.ts";
import { createHttp2Routes } from "../support/http2-routes.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { eventually, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head, roundTrip } from "../support/raw-client.ts";

const { pem, http2Route } = createHttp2Routes();

const word = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
};
const reset = (connection: FrameConnection, streamId: number, code: number): void =>
  connection.send(FRAME.reset, 0, streamId, word(code));
const goAway = (connection: FrameConnection, lastStreamId: number): void =>
  connection.send(FRAME.goaway, 0, 0, word(lastStreamId, CODE.none));
const respond = (connection: FrameConnection, streamId: number, body: string, flags = 0): void => {
  connection.send(FRAME.headers, FLAG.endHeaders, streamId, STATUS_200);
  connection.send(FRAME.data, flags, streamId, Buffer.from(body));
};

/** A server that does this with the headers of each request, counted from 0. */
const startScripted = (script: (connection: FrameConnection, streamId: number, request: number) => void) => {
  let requests = 0;
  return startFrameServer({
    ...pem,
    onFrame({ type, streamId }, connection) {
      if (type === FRAME.headers) script(connection, streamId, requests++);
    },
  });
};

describe("an answer over HTTP/2 that is cut short is never taken for whole", () => {
  it.each<[string, (connection: FrameConnection, streamId: number) => void]>([
    ["a reset with INTERNAL_ERROR", (connection, id) => reset(connection, id, CODE.internal)],
    ["a reset with CANCEL", (connection, id) => reset(connection, id, CODE.cancel)],
    ["the end of the connection", ({ socket }) => void socket.end()],
    ["a connection that breaks", ({ socket }) => void socket.destroy()],
    [
      "a farewell and the end of the connection",
      (connection, id) => {
        goAway(connection, id);
        connection.socket.end();
      },
    ],
  ])("by %s", async (_how, cut) => {
    await using upstream = await startScripted((connection, streamId) => {
      respond(connection, streamId, "half");
      setTimeout(() => cut(connection, streamId), 20);
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await client.closed();
    expect(client.buffered()).toMatch(/4\r\nhalf\r\n$/);
    expect(proxy.told.log.map(({ event }) => event)).toContain("answer_truncated");
  });

  it("unless it is reset with NO_ERROR and has no length, as Node's own server ends long answers", async () => {
    await using upstream = await startScripted((connection, streamId) => {
      respond(connection, streamId, "whole");
      reset(connection, streamId, CODE.none);
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("whole");
  });

  it("by a reset with NO_ERROR before all of its Content-Length came", async () => {
    await using upstream = await startScripted((connection, streamId) => {
      // content-length, name 28 of HPACK's static table, with a value of two digits.
      const length = Buffer.from([0x0f, 0x0d, 2, 0x31, 0x30]);
      connection.send(FRAME.headers, FLAG.endHeaders, streamId, Buffer.concat([STATUS_200, length]));
      connection.send(FRAME.data, 0, streamId, Buffer.from("half"));
      reset(connection, streamId, CODE.none);
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    await expect(roundTrip(proxy.port, head("GET /api/a"))).rejects.toThrow("middle of an answer");
  });

  it("by less than its Content-Length", async () => {
    await using upstream = await startHttp2Upstream(pem, (stream) => {
      stream.respond({ "content-length": 10 });
      stream.end("half");
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    await expect(roundTrip(proxy.port, head("GET /api/a"))).rejects.toThrow("middle of an answer");
  });
});

describe("an upstream over HTTP/2", () => {
  it("that breaks the protocol: 502", async () => {
    await using upstream = await startScripted((connection, streamId) => {
      // A literal field whose name is in upper case (RFC 9113 §8.2.1).
      const field = Buffer.from([0x00, 1, 0x41, 1, 0x62]);
      connection.send(FRAME.headers, FLAG.endHeaders, streamId, Buffer.concat([STATUS_200, field]));
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "UPSTREAM_PROTOCOL_ERROR"]);
  });

  it.each([
    ["in the place of an answer", undefined],
    ["in the place of its settings", Buffer.from("HTTP/1.1 200 OK\r\n\r\n")],
  ])(
    "that says what are no frames, %s: 502, and the next connection is asked anew",
    async (_where, settings) => {
      await using upstream = await startFrameServer({
        ...pem,
        ...(settings === undefined ? {} : { settings }),
        onFrame({ type, streamId }, connection) {
          if (type !== FRAME.headers) return;
          if (connection.index > 0) respond(connection, streamId, "whole", FLAG.endStream);
          else connection.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
        },
      });
      await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
      const answer = await roundTrip(proxy.port, head("GET /api/a"));
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "UPSTREAM_PROTOCOL_ERROR"]);
      if (settings === undefined)
        expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("whole");
    },
  );

  it("that resets the stream before its head: 502, once", async () => {
    await using upstream = await startScripted((connection, id) => reset(connection, id, CODE.internal));
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "UPSTREAM_UNREACHABLE"]);
    expect(upstream.frames.filter(({ type }) => type === FRAME.headers).length).toBe(1);
  });

  it.each([
    ["once: the request is sent again, whatever its method", 1, 200, 2],
    ["for ever: 502", 99, 502, 2],
  ])("that refuses the stream unprocessed, %s", async (_what, refusals, status, requests) => {
    await using upstream = await startScripted((connection, streamId, request) => {
      if (request < refusals) reset(connection, streamId, CODE.refused);
      else respond(connection, streamId, "ok", FLAG.endStream);
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const answer = await roundTrip(proxy.port, head("POST /api/a", "Content-Length: 0"));
    expect(answer.status).toBe(status);
    expect(upstream.frames.filter(({ type }) => type === FRAME.headers).length).toBe(requests);
  });

  it("that says farewell finishes what it took, and the rest goes to a new connection", async () => {
    await using upstream = await startScripted((connection, streamId, request) => {
      if (request === 0) {
        // Answered only once the second request is there, for which it is too late on this connection.
        goAway(connection, streamId);
        setTimeout(() => respond(connection, streamId, "first", FLAG.endStream), 100);
      } else respond(connection, streamId, `on ${connection.index}`, FLAG.endStream);
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin, { connections: 1 })] });
    const first = roundTrip(proxy.port, head("GET /api/a"));
    await eventually(() => upstream.frames.some(({ type }) => type === FRAME.headers));
    const second = await roundTrip(proxy.port, head("GET /api/b"));
    expect([(await first).body, second.body]).toEqual(["first", "on 1"]);
  });

  it("that closed an idle connection as the request came costs nobody a 502", async () => {
    await using upstream = await startScripted((connection, streamId, request) => {
      if (request === 1) connection.socket.destroy();
      else respond(connection, streamId, `answer ${request}`, FLAG.endStream);
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("answer 0");
    expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("answer 2");
    expect(upstream.connections()).toBe(2);
  });
});

describe("a caller that leaves an upstream over HTTP/2", () => {
  const start = async (answer: (stream: ServerHttp2Stream) => void) => {
    const upstream = await startHttp2Upstream(pem, answer);
    const proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    return { upstream, proxy };
  };

  it.each([
    ["while it waits", (_stream: ServerHttp2Stream) => {}],
    [
      "in the middle of its answer",
      (stream: ServerHttp2Stream) => {
        stream.respond();
        stream.write("half");
      },
    ],
  ])("%s: its stream is cancelled, and the connection serves others", async (_when, answer) => {
    const codes: number[] = [];
    let streams = 0;
    const { upstream, proxy } = await start((stream) => {
      stream.once("close", () => codes.push(stream.rstCode));
      if (streams++ === 0) answer(stream);
      else stream.end("ok");
    });
    await using _both = {
      [Symbol.asyncDispose]: () =>
        Promise.all([proxy, upstream].map((each) => each[Symbol.asyncDispose]())).then(() => {}),
    };
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await eventually(() => streams === 1);
    client.socket.resetAndDestroy();
    await eventually(() => codes.length === 1);
    expect(codes).toEqual([CODE.cancel]);
    expect((await roundTrip(proxy.port, head("GET /api/b"))).body).toBe("ok");
    expect(upstream.connections()).toBe(1);
  });

  it("in the middle of its body: the half is not made to look whole", async () => {
    await using upstream = await startScripted(() => {});
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const client = await connectRaw(proxy.port);
    client.send(`${head("POST /api/a", "Transfer-Encoding: chunked")}4\r\nhalf\r\n`);
    await eventually(() => upstream.frames.some(({ type }) => type === FRAME.data));
    client.socket.resetAndDestroy();
    await eventually(() => upstream.frames.some(({ type }) => type === FRAME.reset));
    const ofStream = upstream.frames.filter(({ streamId }) => streamId === 1);
    expect(
      ofStream.filter(({ type, flags }) => type === FRAME.data && (flags & FLAG.endStream) !== 0),
    ).toEqual([]);
    expect(ofStream.at(-1)?.payload).toEqual(word(CODE.cancel));
  });
});
