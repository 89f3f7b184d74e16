/** The catalogue's rows on a session's life (O09, O11, O12, O14) and on what is at rest (K06), seen from outside. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { eventually } from "../e2e/support/eventually.ts";
import { startPillion } from "../support/pillion-process.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { granted, refused } from "../support/token-endpoint.ts";
import { outcome, provide, SAME_ORIGIN, type SessionLab, startSessionLab } from "./session-lab.ts";

const NOT_SIGNED_IN = "401 LOGIN_REQUIRED";
/** As short as a token's life can be told in whole seconds. */
const SHORT = { expires_in: 1 };
const expired = (): Promise<void> => delay(1_050);

/** The answers to so many requests that are sent at once, on connections of their own. */
async function atOnce(lab: SessionLab, bytes: readonly string[]): Promise<readonly string[]> {
  const clients = await Promise.all(bytes.map(() => connectRaw(lab.port)));
  for (const [index, client] of clients.entries()) client.send(bytes[index] ?? "");
  const outcomes = await Promise.all(clients.map(async (client) => outcome(await client.answer())));
  for (const { socket } of clients) socket.destroy();
  return outcomes;
}

const tokensAt = (lab: SessionLab, ...kinds: readonly ("user" | "user over HTTP/2")[]): readonly string[] =>
  kinds.flatMap((kind) =>
    lab.recorder(kind).messages.flatMap(({ headers }) => fieldValues(headers, "authorization")),
  );

describe.concurrent("O09 an expired access token", () => {
  it("O09 and 50 requests at once, by cookie and header, on two routes: one refresh, 50 answers, one token", async () => {
    await using lab = await startSessionLab();
    lab.provider.answer(provide(SHORT));
    const session = await lab.signIn();
    const other = await lab.signIn();
    lab.provider.answer(provide());
    await expired();
    const bytes = Array.from({ length: 50 }, (_, n) =>
      head(
        `GET ${lab.prefix(n % 2 === 0 ? "user" : "user over HTTP/2")}${n}`,
        n % 3 === 0 ? `Pillion-Session: ${session}` : `Cookie: pillion=${session}`,
      ),
    );
    expect(new Set(await atOnce(lab, bytes))).toEqual(new Set(["200"]));
    expect(lab.grants("refresh_token")).toHaveLength(1);
    const tokens = tokensAt(lab, "user", "user over HTTP/2");
    expect(tokens).toHaveLength(50);
    expect(new Set(tokens).size).toBe(1);
    expect((await lab.ask("GET /user/x", `Cookie: pillion=${other}`)).status).toBe(200);
    expect(new Set(tokensAt(lab, "user")).size).toBe(2);
  });
});

describe.concurrent("O11 a refresh that is refused, or brings no refresh token", () => {
  it("O11 invalid_grant: that session ends after one call, however many ask, and no other does", async () => {
    await using lab = await startSessionLab();
    lab.provider.answer(provide(SHORT));
    const dying = await lab.signIn();
    const living = await lab.signIn();
    const first = JSON.parse(lab.grants("authorization_code")[0]?.body ?? "{}");
    expect(first.code).toBe("good");
    await expired();
    const dead = new Set(["refresh-1"]);
    lab.provider.answer(provide({}, dead));
    const bytes = Array.from({ length: 20 }, (_, n) => head(`GET /user/${n}`, `Cookie: pillion=${dying}`));
    expect(new Set(await atOnce(lab, bytes))).toEqual(new Set([NOT_SIGNED_IN]));
    for (let count = 0; count < 5; count += 1)
      expect(outcome(await lab.ask("GET /h2/x", `Cookie: pillion=${dying}`))).toBe(NOT_SIGNED_IN);
    expect(lab.grants("refresh_token")).toHaveLength(1);
    expect(tokensAt(lab, "user", "user over HTTP/2")).toEqual([]);
    expect((await lab.ask("GET /user/x", `Cookie: pillion=${living}`)).status).toBe(200);
    expect(lab.grants("refresh_token")).toHaveLength(2);
    const shown = await lab.ask("GET /.pillion/session", `Cookie: pillion=${dying}`);
    expect(JSON.parse(shown.body)).toEqual({ signed_in: false });
    expect(fieldValues(shown.headers, "set-cookie").join()).toMatch(/^pillion=; Max-Age=0/);
  });

  it("O11 an answer without refresh_token: the old one is kept and sent again", async () => {
    await using lab = await startSessionLab();
    lab.provider.answer(provide(SHORT));
    const session = await lab.signIn();
    lab.provider.answer(granted({ ...SHORT }), granted());
    for (let round = 0; round < 2; round += 1) {
      await expired();
      expect((await lab.ask("GET /user/x", `Cookie: pillion=${session}`)).status).toBe(200);
    }
    const sent = lab.grants("refresh_token").map(({ body }) => JSON.parse(body).refresh_token);
    expect(sent).toEqual(["refresh-1", "refresh-1"]);
  });

  it.each([
    ["503", { status: 503 }, "503 TOKEN_UNAVAILABLE"],
    ["a 200 that is no token", { status: 200, body: "<html>" }, "503 TOKEN_UNAVAILABLE"],
    ["invalid_client", refused(401, "invalid_client"), "502 TOKEN_REJECTED"],
  ])(
    "O11 %s is no sign-out: nothing goes up, the cookie stays, and it heals",
    async (_what, answer, expected) => {
      await using lab = await startSessionLab();
      lab.provider.answer(provide(SHORT));
      const session = await lab.signIn();
      lab.provider.answer(answer);
      await expired();
      const failed = await lab.ask("GET /user/x", `Cookie: pillion=${session}`);
      expect(outcome(failed)).toBe(expected);
      expect(failed.field("set-cookie")).toBeUndefined();
      expect(tokensAt(lab, "user")).toEqual([]);
      const { body } = await lab.ask("GET /.pillion/session", `Cookie: pillion=${session}`);
      expect(JSON.parse(body)).toMatchObject({ signed_in: true });
      if (expected.startsWith("502")) return;
      lab.provider.answer(provide());
      await eventually(
        "it is healed",
        async () => outcome(await lab.ask("GET /user/x", `Cookie: pillion=${session}`)) === "200",
        8_000,
      );
    },
  );
});

describe.concurrent("O12 logout", () => {
  it("O12 revokes the refresh token, and the cookie is good for nothing any more on any route", async () => {
    await using lab = await startSessionLab();
    const session = await lab.signIn();
    const other = await lab.signIn();
    const cookie = `Cookie: pillion=${session}`;
    expect((await lab.ask("GET /user/x", cookie)).status).toBe(200);
    for (const from of [
      [],
      ["Sec-Fetch-Site: cross-site"],
      ["Origin: https://evil.example"],
      ["Sec-Fetch-Site: same-site"],
    ]) {
      const forged = await lab.ask("POST /.pillion/logout", cookie, "Content-Length: 0", ...from);
      expect([from, outcome(forged)]).toEqual([from, "403 ORIGIN_NOT_ALLOWED"]);
    }
    const answer = await lab.ask("POST /.pillion/logout", cookie, SAME_ORIGIN, "Content-Length: 0");
    expect(answer.status).toBe(204);
    expect(fieldValues(answer.headers, "set-cookie")).toEqual([
      "pillion=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
    ]);
    const revoked = lab.provider.requests.filter(({ path }) => path === "/revoke");
    expect(revoked.map(({ body }) => new URLSearchParams(body).get("token"))).toEqual(["refresh-1"]);
    lab.recorder("user").forget();
    for (const field of [cookie, `Pillion-Session: ${session}`]) {
      for (const path of ["/user/x", "/h2/x", "/page/x"])
        expect(outcome(await lab.ask(`GET ${path}`, field))).toBe(NOT_SIGNED_IN);
      const { body } = await lab.ask("GET /.pillion/session", field);
      expect(JSON.parse(body)).toEqual({ signed_in: false });
    }
    expect(tokensAt(lab, "user")).toEqual([]);
    expect((await lab.ask("GET /user/x", `Cookie: pillion=${other}`)).status).toBe(200);
    const again = await lab.ask("POST /.pillion/logout", cookie, SAME_ORIGIN, "Content-Length: 0");
    expect(again.status).toBe(204);
    expect(lab.provider.requests.filter(({ path }) => path === "/revoke")).toHaveLength(1);
  });

  it("O12 while its refresh is under way: what comes too late is revoked and used by nobody", async () => {
    await using lab = await startSessionLab();
    lab.provider.answer(provide(SHORT));
    const session = await lab.signIn();
    await expired();
    const go = Promise.withResolvers<void>();
    const usual = provide();
    lab.provider.answer((request, count) => {
      const answer = usual(request, count);
      return request.body.includes('"refresh_token"') && "status" in answer
        ? { ...answer, after: go.promise }
        : answer;
    });
    const waiting = roundTrip(lab.port, head("GET /user/x", `Cookie: pillion=${session}`));
    await eventually("the refresh is under way", async () => lab.grants("refresh_token").length === 1);
    const out = await lab.ask("POST /.pillion/logout", `Pillion-Session: ${session}`, "Content-Length: 0");
    expect(out.status).toBe(204);
    go.resolve();
    expect(outcome(await waiting)).toBe(NOT_SIGNED_IN);
    expect(tokensAt(lab, "user")).toEqual([]);
    await eventually("both are revoked", async () => {
      const revoked = lab.provider.requests.filter(({ path }) => path === "/revoke");
      return new Set(revoked.map(({ body }) => new URLSearchParams(body).get("token"))).size === 2;
    });
  });
});

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
const fakeTime = [FAKETIME, FAKETIME.replace("x86_64", "aarch64")].find((path) => existsSync(path));

describe.concurrent("O14 a session's age", () => {
  it.skipIf(fakeTime === undefined)(
    "O14 is judged here, whatever the cookie says: 15 days unused, 30 days at most",
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "pillion-time-"));
      const file = join(directory, "offset");
      // It is read anew each time that the process asks for the time.
      const aheadDays = (days: number): void => writeFileSync(file, `+${days * 86_400}s\n`);
      writeFileSync(file, "+0\n");
      await using lab = await startSessionLab({
        env: {
          LD_PRELOAD: fakeTime ?? "",
          FAKETIME_TIMESTAMP_FILE: file,
          FAKETIME_NO_CACHE: "1",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
          DONT_FAKE_MONOTONIC: "1",
        },
      });
      const used = await lab.signIn();
      const unused = await lab.signIn();
      const visitor = await lab.ask("GET /anonymous/x");
      const anonymous = /pillion=([\w-]{43})/.exec(visitor.field("set-cookie") ?? "")?.[1] ?? "";
      const is = async (id: string): Promise<string> =>
        outcome(await lab.ask("GET /user/x", `Cookie: pillion=${id}`));
      aheadDays(14);
      expect(await is(used)).toBe("200");
      aheadDays(15.5);
      expect(await is(unused)).toBe(NOT_SIGNED_IN);
      const shown = await lab.ask("GET /.pillion/session", `Pillion-Session: ${unused}`);
      expect(JSON.parse(shown.body)).toEqual({ signed_in: false });
      const another = await lab.ask("GET /anonymous/x", `Cookie: pillion=${anonymous}`);
      expect(another.field("set-cookie")).toMatch(/^pillion=[\w-]{43};/);
      expect(another.field("set-cookie")).not.toContain(anonymous);
      aheadDays(28);
      expect(await is(used)).toBe("200");
      const refreshes = lab.grants("refresh_token").length;
      aheadDays(30.1);
      expect(await is(used)).toBe(NOT_SIGNED_IN);
      expect(await is(unused)).toBe(NOT_SIGNED_IN);
      expect(lab.grants("refresh_token")).toHaveLength(refreshes);
      // A clock that goes back brings nobody back to life.
      aheadDays(1);
      expect(await is(unused)).toBe(NOT_SIGNED_IN);
      expect(await is(used)).toBe(NOT_SIGNED_IN);
      rmSync(directory, { recursive: true });
    },
  );
});

describe.concurrent("K06 keys at rest", () => {
  const KEYS = {
    "key-a": Buffer.alloc(32, 1).toString("base64"),
    "key-b": Buffer.alloc(32, 2).toString("base64"),
  };

  it("K06 the first seals, all open: sessions outlive a rotation, and without their key are nobody's, not errors", async () => {
    await using lab = await startSessionLab({
      extra: "store: { sqlite: sessions.db, encryption_keys: [{ file: key-a }] }",
      files: KEYS,
    });
    const { configFile, workspace } = lab.pillion;
    const text = readFileSync(configFile, "utf8");
    const old = await lab.signIn();
    lab.pillion.signal("SIGTERM");
    expect(await lab.pillion.exited()).toBe(0);

    /** Restarts with these keys; what each session gets then, and a new one's id. */
    const runWith = async (keys: readonly string[], sessions: readonly string[]) => {
      const list = keys.map((key) => `{ file: ${key} }`).join(", ");
      workspace.write("pillion.yaml", text.replace("{ file: key-a }", list));
      await using pillion = await startPillion(["run", "-c", configFile], { env: { SECRET: "fake-secret" } });
      const port = Number(new URL(pillion.origin).port);
      const outcomes: string[] = [];
      for (const id of sessions)
        outcomes.push(outcome(await roundTrip(port, head("GET /user/x", `Cookie: pillion=${id}`))));
      const login = await roundTrip(port, head("GET /.pillion/login/user"));
      const state = new URL(login.field("location") ?? "").searchParams.get("state");
      const cookie = login.field("set-cookie")?.split(";", 1)[0];
      const back = await roundTrip(
        port,
        head(`GET /.pillion/callback?code=good&state=${state}`, `Cookie: ${cookie}`),
      );
      const made = /^pillion=([\w-]{43});/.exec(back.field("set-cookie") ?? "")?.[1] ?? "";
      expect(made).not.toBe("");
      pillion.signal("SIGTERM");
      expect(await pillion.exited()).toBe(0);
      return { outcomes, made };
    };

    const both = await runWith(["key-b", "key-a"], [old]);
    expect(both.outcomes).toEqual(["200"]);
    const onlyOld = await runWith(["key-a"], [old, both.made]);
    expect(onlyOld.outcomes).toEqual(["200", NOT_SIGNED_IN]);
    const onlyNew = await runWith(["key-b"], [both.made, onlyOld.made, "A".repeat(43)]);
    expect(onlyNew.outcomes).toEqual(["200", NOT_SIGNED_IN, NOT_SIGNED_IN]);
    const swapped = await runWith(["key-a", "key-b"], [onlyOld.made, onlyNew.made]);
    expect(swapped.outcomes).toEqual(["200", "200"]);
  });
});
