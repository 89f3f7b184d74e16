/** One visitor and another: on one connection, over one upstream, at the same time. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { outcome, SAME_ORIGIN, type SessionLab, sessionOf, startSessionLab } from "./session-lab.ts";

let lab: SessionLab;
/** Two users, and the tokens that are theirs. */
let one: string;
let two: string;
let tokenOf: ReadonlyMap<string, string>;
beforeAll(async () => {
  lab = await startSessionLab();
  one = await lab.signIn();
  two = await lab.signIn();
  tokenOf = new Map([
    [one, "Bearer user-1"],
    [two, "Bearer user-2"],
  ]);
});
afterAll(async () => await lab[Symbol.asyncDispose]());

const USER_KINDS = ["user", "user over HTTP/2"] as const;

describe.each(USER_KINDS)("on a route of kind %s", (kind) => {
  it("requests of two users and of nobody, pipelined on one connection: each goes with its own token or not at all", async () => {
    const recorder = lab.recorder(kind);
    recorder.forget();
    const client = await connectRaw(lab.port);
    const whose = [one, two, undefined, "A".repeat(43), two, one];
    let bytes = "";
    for (let count = 0; count < 120; count += 1) {
      const session = whose[count % whose.length];
      const field = count % 2 === 0 ? "Cookie: pillion=" : "Pillion-Session: ";
      bytes += head(`GET ${lab.prefix(kind)}${count}`, ...(session === undefined ? [] : [field + session]));
    }
    client.send(bytes);
    for (let count = 0; count < 120; count += 1) {
      const token = tokenOf.get(whose[count % whose.length] ?? "");
      expect([count, outcome(await client.answer())]).toEqual([
        count,
        token === undefined ? "401 LOGIN_REQUIRED" : "200",
      ]);
    }
    client.socket.destroy();
    expect(recorder.messages).toHaveLength(80);
    for (const { target, headers } of recorder.messages) {
      const session = whose[Number(target.slice(1)) % whose.length] ?? "";
      expect([target, ...fieldValues(headers, "authorization")]).toEqual([target, tokenOf.get(session)]);
    }
  });

  it("trailers bring neither a session nor a cookie of ours to the upstream", async () => {
    const recorder = lab.recorder(kind);
    recorder.forget();
    const names = ["Pillion-Session", "Cookie", "Authorization", "Pillion-Access", "X_Pillion_Session"];
    const trailers = names.map((name) => `${name}: pillion=${two}\r\n`).join("");
    const answer = await roundTrip(
      lab.port,
      `${head(`POST ${lab.prefix(kind)}x`, `Cookie: pillion=${one}`, SAME_ORIGIN, "TE: trailers", "Transfer-Encoding: chunked", `Trailer: ${names.join(", ")}`)}3\r\nabc\r\n0\r\n${trailers}\r\n`,
    );
    expect([200, 400]).toContain(answer.status);
    expect(JSON.stringify(recorder.messages)).not.toContain(two);
    const bare = await roundTrip(
      lab.port,
      `${head(`POST ${lab.prefix(kind)}x`, "TE: trailers", "Transfer-Encoding: chunked", "Trailer: Pillion-Session")}3\r\nabc\r\n0\r\nPillion-Session: ${two}\r\n\r\n`,
    );
    expect([400, 401]).toContain(bare.status);
  });

  it("an upstream's 401 to one of them costs that one a refresh and a replay, and the other nothing", async () => {
    await using own = await startSessionLab();
    const [first, second] = [await own.signIn(), await own.signIn()];
    const recorder = own.recorder(kind);
    recorder.respond(({ headers }) =>
      fieldValues(headers, "authorization").includes("Bearer user-1")
        ? "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"
        : "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    );
    const ask = (session: string) =>
      roundTrip(own.port, head(`GET ${own.prefix(kind)}x`, `Cookie: pillion=${session}`));
    const answers = await Promise.all([first, second, first, second, first].map(ask));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const sent = own.grants("refresh_token").map(({ body }) => JSON.parse(body).refresh_token);
    expect(sent).toEqual(["refresh-1"]);
    const tokens = new Set(recorder.messages.flatMap(({ headers }) => fieldValues(headers, "authorization")));
    expect([...tokens].sort()).toEqual(["Bearer user-1", "Bearer user-2", "Bearer user-3"]);
  });
});

describe("two users over one HTTP/1.1 upstream", () => {
  it("an upstream's second answer to one user's request is not the first to another's", async () => {
    const recorder = lab.recorder("user");
    recorder.respond(({ target }) =>
      target === "/evil"
        ? "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nof-one"
        : "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nof-two",
    );
    for (let round = 0; round < 30; round += 1) {
      const answers = await Promise.all([
        roundTrip(lab.port, head("GET /user/evil", `Cookie: pillion=${one}`)),
        roundTrip(lab.port, head("GET /user/two", `Cookie: pillion=${two}`)),
      ]);
      expect(answers[1]?.body).toBe("of-two");
      expect((await lab.ask("GET /user/two", `Cookie: pillion=${two}`)).body).toBe("of-two");
    }
    recorder.respond(undefined);
  });
});

describe("a body behind a refusal", () => {
  const SMUGGLED = head("GET /none/smuggled");
  const framings: readonly (readonly [string, string])[] = [
    [`Content-Length: ${SMUGGLED.length}`, SMUGGLED],
    ["Transfer-Encoding: chunked", `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`],
  ];

  it.each(["without", "with"])(
    "is no request, whenever the refusal comes, %s an access token",
    async (guard) => {
      await using own = await startSessionLab(
        guard === "with"
          ? { extra: "access: { token: { env: ACCESS } }", env: { ACCESS: "fake-access-token" } }
          : {},
      );
      const session = await own.signIn();
      const refused = guard === "with" ? "403 ACCESS_TOKEN_REQUIRED" : "401 LOGIN_REQUIRED";
      for (const [framing, body] of framings) {
        for (const [fields, expected] of [
          [[`Cookie: pillion=${"A".repeat(43)}`, SAME_ORIGIN], refused],
          [[`Pillion-Session: ${"A".repeat(43)}`], refused],
          [[`Cookie: pillion=${session}`], "403 ORIGIN_NOT_ALLOWED"],
          [[`Cookie: pillion=${session}`, SAME_ORIGIN], "200"],
        ] as const) {
          const client = await connectRaw(own.port);
          client.send(head("POST /user/x", ...fields, framing) + body + head("GET /.pillion/else"));
          expect([framing, fields, outcome(await client.answer())]).toEqual([framing, fields, expected]);
          // What stands behind the body is the next request, and is refused as such.
          expect([403, 404]).toContain((await client.answer()).status);
          expect(client.buffered()).toBe("");
          client.socket.destroy();
        }
      }
      expect(own.recorder("none").messages).toEqual([]);
      expect(own.recorder("user").messages.map(({ body }) => body)).toEqual([SMUGGLED, SMUGGLED]);
      expect(own.recorder("user").faults).toEqual([]);
    },
  );
});

describe("visitors who are not signed in", () => {
  it("have a token each, however many come at once, and it stays theirs", async () => {
    const recorder = lab.recorder("anonymous");
    recorder.forget();
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, n) => roundTrip(lab.port, head(`GET /anonymous/first-${n}`))),
    );
    const sessions = made.map(sessionOf);
    expect(new Set(sessions).size).toBe(20);
    await Promise.all(
      sessions.map((id, n) =>
        roundTrip(lab.port, head(`GET /anonymous/again-${n}`, `Cookie: pillion=${id}`)),
      ),
    );
    const token = (target: string): string => {
      const [message] = recorder.messages.filter((each) => each.target === target);
      return fieldValues(message?.headers ?? [], "authorization").join();
    };
    const tokens = sessions.map((_, n) => token(`/again-${n}`));
    expect(tokens).toEqual(sessions.map((_, n) => token(`/first-${n}`)));
    expect(new Set(tokens).size).toBe(20);
    expect(tokens.join()).not.toContain("app-token");
  });

  it("get no user's token, and a user's session gives an anonymous route none either", async () => {
    const visitor = sessionOf(await lab.ask("GET /anonymous/x"));
    expect(outcome(await lab.ask("GET /user/x", `Cookie: pillion=${visitor}`))).toBe("401 LOGIN_REQUIRED");
    const recorder = lab.recorder("anonymous");
    recorder.forget();
    await lab.ask("GET /anonymous/x", `Cookie: pillion=${one}`);
    expect(recorder.messages.flatMap(({ headers }) => fieldValues(headers, "authorization"))).toEqual([
      expect.stringMatching(/^Bearer visitor-\d+$/),
    ]);
  });

  it("whose token cannot be had get neither the application's nor a session", async () => {
    await using own = await startSessionLab();
    own.provider.answer((request) =>
      request.path.endsWith("anonymous-user")
        ? { status: 403, headers: { "content-type": "application/json" }, body: '{"error":"access_denied"}' }
        : {
            status: 200,
            headers: { "content-type": "application/json" },
            body: '{"access_token":"app-token","token_type":"Bearer","expires_in":3600}',
          },
    );
    const answer = await own.ask("GET /anonymous/x");
    expect(outcome(answer)).toBe("502 TOKEN_REJECTED");
    expect(answer.field("set-cookie")).toBeUndefined();
    expect(own.messages()).toEqual([]);
  });
});
