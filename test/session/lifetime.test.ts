import { describe, expect, it } from "vitest";
import { createLab, had, signedIn, signIn } from "./lab.ts";

const DAY_MS = 86_400_000;

describe("O14: the server judges how old a session is", () => {
  it("15 days without a request end it", async () => {
    const { lab, ask, id, process } = await signedIn();
    await lab.clock.advance(15 * DAY_MS - 1);
    expect(await ask()).toBe("at-2");
    await lab.clock.advance(15 * DAY_MS - 1);
    expect(await process.sessions.isSignedIn(id)).toBe(true);
    await lab.clock.advance(1);
    expect(await ask()).toBe("LOGIN_REQUIRED");
    expect(await process.sessions.describe(id)).toEqual({ signed_in: false });
    expect(lab.store.records.has(`session ${id}`)).toBe(false);
  });

  it("30 days end it, however busy it was", async () => {
    const { lab, ask } = await signedIn();
    for (let day = 1; day < 30; day += 1) {
      await lab.clock.advance(DAY_MS);
      expect(await ask()).toMatch(/^at-/);
    }
    await lab.clock.advance(DAY_MS - 1);
    expect(await ask()).toMatch(/^at-/);
    await lab.clock.advance(1);
    expect(await ask()).toBe("LOGIN_REQUIRED");
  });

  it("the last use is written back, at most once a minute, so that another process knows", async () => {
    const { lab, ask, id, process } = await signedIn();
    lab.provider.expiresIn = 30 * 86_400;
    await lab.clock.advance(3_600_000);
    await ask();
    const writes = (): number => process.vault.operations.filter((each) => each === "write session").length;
    const before = writes();
    for (let round = 0; round < 100; round += 1) {
      await lab.clock.advance(1_000);
      await ask();
    }
    expect(writes() - before).toBeLessThanOrEqual(2);
    await lab.clock.advance(15 * DAY_MS - 60_000);
    expect(await had(lab.start().sessions.source(lab.user, id))).toMatch(/^at-/);
  });

  it("a short idle time is judged as exactly", async () => {
    const { lab, ask } = await signedIn();
    lab.settings = { ...lab.settings, idleMs: 2_000 };
    for (let round = 0; round < 10; round += 1) {
      await lab.clock.advance(1_900);
      expect(await ask()).toBe("at-1");
    }
    await lab.clock.advance(2_000);
    expect(await ask()).toBe("LOGIN_REQUIRED");
  });

  it("a wall clock set back ends nothing, and one that jumped to the end ends it", async () => {
    const { lab, ask } = await signedIn();
    lab.clock.setWall(lab.clock.wall() - DAY_MS);
    expect(await ask()).toBe("at-1");
    lab.clock.setWall(lab.clock.wall() + 40 * DAY_MS);
    expect(await ask()).toBe("LOGIN_REQUIRED");
  });

  it("the store keeps a record no longer than it can be alive, and counts it by kind", async () => {
    const { lab, id, process } = await signedIn();
    const options = lab.store.records.get(`session ${id}`)?.options;
    expect((options?.expiresAtMs ?? 0) - lab.clock.wall()).toBe(15 * DAY_MS + 60_000);
    expect(options?.class).toEqual({ name: "user", limit: 1_000 });
    expect(await process.sessions.counts()).toEqual(new Map([["user", 1]]));
    process.vault.down = true;
    expect(await process.sessions.counts()).toEqual(new Map([["user", 1]]));
    process.vault.down = false;
    const visitor = process.sessions.source(lab.anonymous, undefined);
    await visitor.token();
    expect(lab.store.records.get(`session ${visitor.created}`)?.options).toMatchObject({
      class: { name: "visitor", limit: 1_000 },
      credentials: ["anonymous"],
    });
  });

  it("what another Pillion wrote and this one cannot read is no session", async () => {
    const { lab, id } = await signedIn();
    const kept = lab.store.records.get(`session ${id}`);
    if (kept === undefined) throw new Error("no record");
    for (const content of ['{"v":2}', "null", "[]", '{"v":1,"created":1,"used":"x","tokens":{}}']) {
      lab.store.records.set(`session ${id}`, { ...kept, content });
      expect(await had(lab.start().sessions.source(lab.user, id))).toBe("LOGIN_REQUIRED");
    }
  });

  it("a token of another environment, client or scope is none", async () => {
    const { lab, id, process } = await signedIn();
    const { user } = lab;
    if (user.spec?.kind !== "user") throw new Error("no user");
    for (const change of [
      { environment: "production" },
      { clientId: { kind: "literal", value: "x" } as const },
      { scopes: ["z"] },
    ]) {
      const changed = { ...user, spec: { ...user.spec, ...change } };
      expect(await had(process.sessions.source(changed, id))).toBe("LOGIN_REQUIRED");
    }
    expect(await had(process.sessions.source({ ...user, spec: { ...user.spec } }, id))).toBe("at-1");
  });
});

describe("O12: logout", () => {
  it("ends the session at once, and revokes its refresh token where the provider can", async () => {
    const lab = createLab({ user: { revocationUrl: new URL("https://id.example/revoke") } });
    const process = lab.start();
    const id = await signIn(lab, process);
    await process.sessions.logout(id);
    expect(await had(process.sessions.source(lab.user, id))).toBe("LOGIN_REQUIRED");
    expect(lab.store.records.size).toBe(0);
    expect(lab.provider.revoked).toEqual(["rt-1"]);
    const { headers, body } = lab.provider.requests.at(-1)?.request ?? { headers: [], body: "" };
    expect(headers).toContain("application/x-www-form-urlencoded");
    expect(body).toBe("token=rt-1&token_type_hint=refresh_token&client_id=spa-1");
    await process.sessions.logout(id);
    await process.sessions.logout(undefined);
    expect(lab.provider.revoked).toEqual(["rt-1"]);
  });

  it("is not undone by a look at the store that began before it", async () => {
    const lab = createLab();
    const id = await signIn(lab, lab.start());
    const process = lab.start({ shared: false });
    const held = Promise.withResolvers<void>();
    process.vault.step = async (moment) => {
      if (moment === "after read session") await held.promise;
    };
    const slow = had(process.sessions.source(lab.user, id));
    const out = process.sessions.logout(id);
    held.resolve();
    await Promise.all([slow, out]);
    expect(await had(process.sessions.source(lab.user, id))).toBe("LOGIN_REQUIRED");
  });

  it("does not wait for a provider that does not answer", async () => {
    const lab = createLab({ user: { revocationUrl: new URL("https://id.example/revoke") } });
    const process = lab.start();
    const id = await signIn(lab, process);
    lab.provider.intercept = () => new Promise(() => {});
    const done = process.sessions.logout(id).then(() => "done");
    await lab.clock.advance(3_000);
    expect(await done).toBe("done");
  });

  it("while a refresh is under way: its tokens are not kept, and are revoked", async () => {
    const lab = createLab({ user: { revocationUrl: new URL("https://id.example/revoke") } });
    const process = lab.start();
    const id = await signIn(lab, process);
    await lab.clock.advance(3_600_000);
    const held = Promise.withResolvers<void>();
    const sent = Promise.withResolvers<void>();
    process.step = async (moment) => {
      if (moment !== "sent") return;
      process.step = undefined;
      sent.resolve();
      await held.promise;
    };
    const waiting = had(process.sessions.source(lab.user, id));
    await sent.promise;
    await process.sessions.logout(id);
    held.resolve();
    expect(await waiting).toBe("LOGIN_REQUIRED");
    await lab.clock.advance(0);
    expect(lab.store.records.size).toBe(0);
    expect(lab.provider.revoked).toContain("rt-2");
  });

  it("nothing secret is logged", async () => {
    const { lab, process, ask, id } = await signedIn();
    await lab.clock.advance(3_600_000);
    await ask();
    lab.provider.forgetUsers();
    await lab.clock.advance(3_600_000);
    await ask();
    const text = JSON.stringify(process.logged);
    expect(process.logged.map(({ event }) => event)).toEqual([
      "session_signed_in",
      "session_refreshed",
      "session_ended",
    ]);
    expect(text).not.toMatch(/[ar]t-\d|code-|spa-1/);
    expect(text).not.toContain(id);
  });
});
