import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { aRoute, eventually, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { closedPort, startRawUpstream, startUpstream } from "../support/upstream.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

describe("an upstream's interim answer", () => {
  const interims: readonly (readonly [string, string, number[]])[] = [
    ["Processing", "HTTP/1.1 102 Processing\r\n\r\n", [102, 200]],
    ["Early Hints", "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nx-a: b\r\n\r\n", [103, 200]],
    ["Early Hints without a link", "HTTP/1.1 103 Early Hints\r\nx-a: b\r\n\r\n", [200]],
    ["an unknown one", "HTTP/1.1 150 Odd\r\n\r\n", [200]],
    ["Continue, unasked", "HTTP/1.1 100 Continue\r\n\r\n", [200]],
    ["Continue with fields", "HTTP/1.1 100 Continue\r\nx: y\r\n\r\n", [200]],
    [
      "several",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 C\r\n\r\n",
      [102, 200],
    ],
  ];

  it.each(interims)(
    "%s does no harm, and reaches the caller where it is of use",
    async (_name, bytes, statuses) => {
      await using upstream = await startRawUpstream((socket) => void socket.write(bytes + OK));
      await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
      const client = await connectRaw(proxy.port);
      // Twice, so that a connection left out of step would show.
      for (let turn = 0; turn < 2; turn += 1) {
        client.send(head("GET /api/a"));
        for (const status of statuses) expect((await client.answer()).status).toBe(status);
      }
      client.socket.destroy();
    },
  );

  it("with several links in one field gives each of them", async () => {
    const links = '</a.css>; rel=preload, </b.js>; rel="preload", </c,d>; rel=next';
    await using upstream = await startRawUpstream(
      (socket) => void socket.write(`HTTP/1.1 103 Early Hints\r\nlink: ${links}\r\n\r\n${OK}`),
    );
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, answer.field("link")]).toEqual([103, links]);
  });

  it("cut into single bytes does no harm either", async () => {
    const bytes = `HTTP/1.1 100 Continue\r\n\r\n${OK}`;
    const trickle = (socket: Socket, at: number): void => {
      if (at < bytes.length)
        socket.write(bytes.charAt(at), () => setImmediate(() => trickle(socket, at + 1)));
    };
    await using upstream = await startRawUpstream((socket) => {
      socket.setNoDelay(true);
      trickle(socket, 0);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("ok");
  });

  it("is not for a caller of HTTP/1.0", async () => {
    await using upstream = await startRawUpstream(
      (socket) => void socket.write(`HTTP/1.1 102 Processing\r\n\r\n${OK}`),
    );
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send("GET /api/a HTTP/1.0\r\nHost: localhost\r\n\r\n");
    await client.closed();
    expect(client.buffered()).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("Expect: 100-continue", () => {
  const expecting = (line: string, ...fields: string[]) => head(line, "Expect: 100-continue", ...fields);

  it("gets 100 when the body is wanted, and then its answer", async () => {
    await using upstream = await startUpstream((request, response) => void request.pipe(response));
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(expecting("POST /api/a", "Content-Length: 4"));
    expect((await client.answer()).status).toBe(100);
    client.send("body");
    const answer = await client.answer();
    expect([answer.status, answer.body]).toEqual([200, "body"]);
    expect(upstream.requests[0]?.headers.map((name) => name.toLowerCase())).not.toContain("expect");
    client.socket.destroy();
  });

  it.each([
    ["no route", "POST /other", 404],
    ["a bad target", "POST /api/../a", 400],
  ])("gets the final status without 100 when the request is refused: %s", async (_name, line, status) => {
    await using proxy = await startProxy({ routes: [aRoute({ upstream: new URL("http://127.0.0.1:9/") })] });
    const client = await connectRaw(proxy.port);
    client.send(expecting(line, "Content-Length: 4"));
    const answer = await client.answer();
    expect(answer.status).toBe(status);
    expect(answer.field("connection")).toBe("close");
    await client.closed();
  });

  it("gets the final status without 100 when the upstream cannot be reached", async () => {
    const upstream = new URL(`http://127.0.0.1:${await closedPort()}/`);
    await using proxy = await startProxy({ routes: [aRoute({ upstream })] });
    const client = await connectRaw(proxy.port);
    client.send(expecting("POST /api/a", "Content-Length: 4"));
    expect((await client.answer()).status).toBe(502);
    await client.closed();
  });

  it.each([200, 417])(
    "gets one final status where the upstream says %i without the body, on a connection that owes none",
    async (status) => {
      const connections: number[] = [];
      await using upstream = await startRawUpstream((socket, text, connection) => {
        if (/^(POST|GET)/.test(text)) connections.push(connection);
        if (text.startsWith("POST"))
          socket.write(`HTTP/1.1 ${status} Early\r\ncontent-length: 5\r\n\r\nearly`);
        else if (text.startsWith("GET")) socket.write(OK);
      });
      await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
      const client = await connectRaw(proxy.port);
      client.send(expecting("POST /api/a", "Content-Length: 3"));
      let answer = await client.answer();
      if (answer.status === 100) answer = await client.answer();
      expect([answer.status, answer.body]).toEqual([status, "early"]);
      client.socket.destroy();
      expect((await roundTrip(proxy.port, head("GET /api/b"))).body).toBe("ok");
      // A byte of the body that is owed would be taken for the next request.
      expect(connections).toEqual([1, 2]);
    },
  );

  it("is ignored without a body and from HTTP/1.0", async () => {
    await using upstream = await startUpstream(async (request, response) => {
      for await (const _ of request);
      response.end("ok");
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    expect((await roundTrip(proxy.port, expecting("GET /api/a"))).status).toBe(200);
    const old = await connectRaw(proxy.port);
    old.send(
      "POST /api/a HTTP/1.0\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    );
    await old.closed();
    expect(old.buffered()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each(["y, 100-continue", "y", "100-continue, 100-continue", ""])(
    "and any other expectation (%j): 417",
    async (value) => {
      await using proxy = await startProxy({
        routes: [aRoute({ upstream: new URL("http://127.0.0.1:9/") })],
      });
      const answer = await roundTrip(
        proxy.port,
        head("POST /api/a", `Expect: ${value}`, "Content-Length: 0"),
      );
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([417, "EXPECTATION_FAILED"]);
    },
  );
});

describe("U05: an answer that comes before the body was sent", () => {
  it.each([
    ["and the connection closed at once", true],
    ["and the connection left open", false],
  ])("reaches the caller (%s), and the proxy lives on", async (_name, closes) => {
    await using upstream = await startRawUpstream((socket, text) => {
      if (!text.startsWith("POST")) return;
      const bytes = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\n\r\ntoo large";
      if (closes) socket.end(bytes);
      else socket.write(bytes);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(head("POST /api/a", "Content-Length: 52428800"));
    const chunk = "x".repeat(65_536);
    let sent = 0;
    const pour = (): void => {
      while (sent < 800 && client.socket.writable) {
        sent += 1;
        if (!client.socket.write(chunk)) {
          client.socket.once("drain", pour);
          return;
        }
      }
    };
    pour();
    const answer = await client.answer();
    expect([answer.status, answer.body]).toEqual([413, "too large"]);
    client.socket.destroy();
    await eventually(() => upstream.sockets.size === 0 || !closes);
    expect((await roundTrip(proxy.port, head("GET /other"))).status).toBe(404);
  });

  it("is a refusal of the proxy's own: it reaches the caller too", async () => {
    await using proxy = await startProxy({ routes: [aRoute({ upstream: new URL("http://127.0.0.1:9/") })] });
    for (const path of ["/other", "/api/../x"]) {
      const client = await connectRaw(proxy.port);
      client.send(head(`POST ${path}`, "Content-Length: 20000000"));
      for (let sent = 0; sent < 300; sent += 1) client.send("x".repeat(65_536));
      expect((await client.answer()).field("content-type")).toBe("application/problem+json");
      client.socket.destroy();
    }
  });
});

describe("a body that stops coming", () => {
  it("is given up after limits.body_idle, with a 400", async () => {
    await using upstream = await startUpstream((request) => void request.on("error", () => {}).resume());
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin })],
      limits: { bodyIdleMs: 100 },
    });
    const client = await connectRaw(proxy.port);
    client.send(`${head("POST /api/a", "Content-Length: 10")}half `);
    const answer = await client.answer();
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, "REQUEST_INVALID"]);
    await client.closed();
    await upstream.idle();
  });
});
