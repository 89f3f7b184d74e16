import { describe, expect, it } from "vitest";
import {
  createEngine,
  gate,
  grant,
  had,
  hadNow,
  oauthError,
  ok,
  type ReplyTo,
  refusedConnection,
  settle,
  spec,
} from "./engine.ts";

/** Grants to whoever sends this secret by Basic. */
const accepting =
  (secret: string): ReplyTo =>
  (request, count) => {
    const basic = request.headers[request.headers.indexOf("authorization") + 1]?.replace("Basic ", "") ?? "";
    return Buffer.from(basic, "base64").toString().endsWith(`:${secret}`)
      ? ok({ access_token: `${secret}-${count}`, token_type: "Bearer", expires_in: 3_600 })
      : oauthError(401, "invalid_client");
  };

describe("T20: a secret that changes", () => {
  it("is used by the next request, and the old token is dropped", async () => {
    const { sources, secrets, endpoint, count } = createEngine();
    endpoint.reply = accepting("s3cret-0");
    const source = sources.source("c", undefined, spec());
    expect(await had(source)).toBe("s3cret-0-1");
    secrets.set("CLIENT_SECRET", "s3cret-1");
    endpoint.reply = accepting("s3cret-1");
    expect(await Promise.all([had(source), had(source)])).toEqual(["s3cret-1-2", "s3cret-1-2"]);
    expect(hadNow(source)).toBe("s3cret-1-2");
    expect(count()).toBe(2);
  });

  it.each<[string, ReplyTo]>([
    ["the endpoint is down", refusedConnection],
    ["the new secret is refused", () => oauthError(401, "invalid_client")],
  ])("leaves the old token in use while it is valid and %s", async (_what, fault) => {
    const { sources, secrets, endpoint, clock } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    secrets.set("CLIENT_SECRET", "s3cret-1");
    endpoint.reply = fault;
    expect(await had(source)).toBe("token-1");
    expect(hadNow(source)).toBe("token-1");
    endpoint.reply = grant();
    await clock.advance(33_000);
    expect(hadNow(source)).not.toBe("token-1");
  });

  it("and whose endpoint hangs delays a request by 2 s at most", async () => {
    const { sources, secrets, endpoint, clock } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    secrets.set("CLIENT_SECRET", "s3cret-1");
    endpoint.reply = () => new Promise(() => {});
    const waiting = had(source);
    await clock.advance(2_000);
    expect(await waiting).toBe("token-1");
  });

  it("makes no new fetch when it is written again with the same value", async () => {
    const { sources, secrets, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    secrets.set("CLIENT_SECRET", "s3cret-0");
    expect(hadNow(source)).toBe("token-1");
    expect(count()).toBe(1);
  });

  it("ends the pause of a refused client at once", async () => {
    const { sources, secrets, endpoint } = createEngine();
    endpoint.reply = accepting("s3cret-1");
    const source = sources.source("c", undefined, spec());
    expect(await had(source)).toBe("TOKEN_REJECTED");
    secrets.set("CLIENT_SECRET", "s3cret-1");
    expect(await had(source)).toBe("s3cret-1-2");
  });

  it("while a refresh is under way begins another, and the older result does not overwrite the newer", async () => {
    const { sources, secrets, endpoint } = createEngine();
    const older = gate<ReturnType<typeof ok>>();
    endpoint.reply = () => older.promise;
    const source = sources.source("c", undefined, spec());
    const first = had(source);
    await settle();
    secrets.set("CLIENT_SECRET", "s3cret-1");
    endpoint.reply = accepting("s3cret-1");
    expect(await had(source)).toBe("s3cret-1-2");
    older.open(ok({ access_token: "older", token_type: "Bearer", expires_in: 86_400 }));
    expect(await first).toBe("older");
    expect(hadNow(source)).toBe("s3cret-1-2");
  });

  it("never leads to another client's token: a changed client id has a cache of its own", async () => {
    const { sources, secrets, endpoint } = createEngine();
    secrets.set("CLIENT_ID", "client-1");
    const source = sources.source("c", undefined, spec({ clientId: { kind: "env", name: "CLIENT_ID" } }));
    expect(await had(source)).toBe("token-1");
    secrets.set("CLIENT_ID", "client-2");
    endpoint.reply = refusedConnection;
    expect(await had(source)).toBe("TOKEN_UNAVAILABLE");
    secrets.set("CLIENT_ID", "client-1");
    expect(hadNow(source)).toBe("token-1");
  });
});

describe("invalid_client or 401", () => {
  it("has the secret read again once, and a changed one tried in the same flight", async () => {
    const { sources, secrets, endpoint, count, observed } = createEngine();
    endpoint.reply = accepting("s3cret-1");
    secrets.stage("CLIENT_SECRET", "s3cret-1");
    const source = sources.source("c", undefined, spec());
    expect(await Promise.all([had(source), had(source)])).toEqual(["s3cret-1-2", "s3cret-1-2"]);
    expect(count()).toBe(2);
    expect(observed.slice(0, 2)).toEqual(["outcome:rejected", "outcome:success"]);
    expect(hadNow(source)).toBe("s3cret-1-2");
  });

  it("shares that flight with requests that see the new secret meanwhile", async () => {
    const { sources, secrets, endpoint, count } = createEngine();
    const held = gate<ReturnType<typeof ok>>();
    endpoint.reply = (_request, n) => (n === 1 ? oauthError(400, "invalid_client") : held.promise);
    secrets.stage("CLIENT_SECRET", "s3cret-1");
    const source = sources.source("c", undefined, spec());
    const first = had(source);
    await settle();
    const second = had(source);
    await settle();
    expect(count()).toBe(2);
    held.open(ok({ access_token: "new", token_type: "Bearer" }));
    expect(await Promise.all([first, second])).toEqual(["new", "new"]);
  });

  it.each<[string, ReplyTo]>([
    ["an unchanged secret", () => oauthError(401, "invalid_client")],
    ["a secret that is refused as well", () => oauthError(401, "invalid_client")],
  ])("is the end of it with %s", async (what, fault) => {
    const { sources, secrets, endpoint, count } = createEngine();
    endpoint.reply = fault;
    const changed = what.startsWith("a secret");
    if (changed) secrets.stage("CLIENT_SECRET", "s3cret-1");
    expect(await had(sources.source("c", undefined, spec()))).toBe("TOKEN_REJECTED");
    expect(count()).toBe(changed ? 2 : 1);
    expect(secrets.refreshes).toBe(1);
  });

  it("of another kind is not", async () => {
    const { sources, secrets, endpoint } = createEngine();
    endpoint.reply = () => oauthError(400, "invalid_scope");
    await had(sources.source("c", undefined, spec()));
    expect(secrets.refreshes).toBe(0);
  });

  it("with both halves of the client rotated is right for those who wait, and for those who come after", async () => {
    const { sources, secrets, endpoint } = createEngine();
    secrets.set("CLIENT_ID", "client-1");
    endpoint.reply = accepting("s3cret-1");
    secrets.stage("CLIENT_SECRET", "s3cret-1");
    secrets.stage("CLIENT_ID", "client-2");
    const source = sources.source("c", undefined, spec({ clientId: { kind: "env", name: "CLIENT_ID" } }));
    expect(await had(source)).toBe("s3cret-1-2");
    expect(await had(source)).toBe("s3cret-1-3");
    expect(hadNow(source)).toBe("s3cret-1-3");
  });
});

describe("a secret that cannot be read", () => {
  it("is told as such, and nothing is sent", async () => {
    const { sources, secrets, count, observed, clock } = createEngine();
    secrets.set("CLIENT_SECRET", undefined);
    const source = sources.source("c", undefined, spec());
    expect(await had(source)).toBe("TOKEN_UNAVAILABLE");
    expect(count()).toBe(0);
    expect(observed).toEqual(["unavailable:secret_unreadable"]);
    secrets.set("CLIENT_SECRET", "s3cret-1");
    await clock.advance(2_000);
    expect(hadNow(source)).toBe("token-1");
  });

  it("leaves a valid token in use", async () => {
    const { sources, secrets } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    secrets.set("CLIENT_SECRET", undefined);
    expect(hadNow(source)).toBe("token-1");
  });

  it("nor the client id", async () => {
    const { sources, secrets, observed } = createEngine();
    const source = sources.source("c", undefined, spec({ clientId: { kind: "env", name: "CLIENT_ID" } }));
    expect(await had(source)).toBe("TOKEN_UNAVAILABLE");
    expect(observed).toEqual(["unavailable:secret_unreadable"]);
    secrets.set("CLIENT_ID", "client-1");
    expect(await had(source)).toBe("token-1");
    secrets.set("CLIENT_ID", undefined);
    expect(hadNow(source)).toBe("token-1");
  });
});
