import { describe, expect, it } from "vitest";
import { settle } from "../support/fake-clock.ts";
import { createLab, had, type Lab, type Process, signIn } from "./lab.ts";

const HOUR_MS = 3_600_000;
const LOCK_MS = 16_000;

interface Stopped {
  readonly lab: Lab;
  readonly first: Process;
  readonly id: string;
  /** Where it stopped; undefined: it came to the end of the refresh. */
  readonly moment: string | undefined;
  /** Whether the server had used the refresh token up by then. */
  readonly consumed: boolean;
  readonly stored: boolean;
  wake(): Promise<void>;
}

/** One process begins a refresh and stands still at its `count`-th moment: before or after each thing it does. */
async function stopAt(count: number): Promise<Stopped> {
  const lab = createLab();
  const first = lab.start();
  const id = await signIn(lab, first);
  await lab.clock.advance(HOUR_MS);
  const held = Promise.withResolvers<void>();
  let moments = 0;
  let moment: string | undefined;
  const step = async (name: string): Promise<void> => {
    moments += 1;
    if (moments < count) return;
    moment ??= name;
    await held.promise;
  };
  first.step = step;
  first.vault.step = step;
  void had(first.sessions.source(lab.user, id));
  await settle();
  await settle();
  return {
    lab,
    first,
    id,
    moment,
    consumed: lab.provider.count("refresh_token") > 0,
    stored: lab.store.records.get(`session ${id}`)?.content.includes("rt-2") ?? false,
    async wake() {
      first.step = undefined;
      first.vault.step = undefined;
      held.resolve();
      await settle();
      await settle();
    },
  };
}

/** What a visitor gets from a process while time goes by. */
async function ask(lab: Lab, process: Process, id: string): Promise<string | undefined> {
  let result: string | undefined;
  void had(process.sessions.source(lab.user, id)).then((got) => {
    result = got;
  });
  for (let waited = 0; waited < 12_000 && result === undefined; waited += 250) await lab.clock.advance(250);
  return result;
}

const MOMENTS = Array.from({ length: 24 }, (_, n) => n + 1);

describe("a process that dies in a refresh", () => {
  it("has a dozen moments to die at, the last of them after the end", async () => {
    const moments = await Promise.all(MOMENTS.map(async (count) => (await stopAt(count)).moment));
    expect(moments.slice(0, 12)).not.toContain(undefined);
    expect(moments).toContain("about to send");
    expect(moments).toContain("sent");
    expect(moments.at(-1)).toBeUndefined();
  });

  it.each(MOMENTS)(
    "at moment %i: no consumed token is resent, and a session is lost only where its answer was",
    async (count) => {
      const { lab, id, consumed, stored, moment } = await stopAt(count);
      const second = lab.start();
      await lab.clock.advance(LOCK_MS);
      const got = await ask(lab, second, id);
      expect(lab.provider.resent).toEqual([]);
      expect(["at-2", "LOGIN_REQUIRED"]).toContain(got);
      if (got === "LOGIN_REQUIRED") {
        expect(stored).toBe(false);
        // Sent, or so near to it that nobody can know.
        expect(consumed || ["after write session", "about to send"].includes(moment ?? "")).toBe(true);
      } else {
        expect(consumed).toBe(stored || moment === undefined);
      }
    },
  );

  it.each(MOMENTS)("at moment %i, only stopped: when it wakes up the session goes on", async (count) => {
    const { lab, id, wake, first } = await stopAt(count);
    const second = lab.start();
    await lab.clock.advance(LOCK_MS);
    await ask(lab, second, id);
    await wake();
    await lab.clock.advance(LOCK_MS);
    expect(lab.provider.resent).toEqual([]);
    expect(await ask(lab, second, id)).toMatch(/^at-\d$/);
    expect(await ask(lab, first, id)).toMatch(/^at-\d$/);
  });

  it("an access token that is still valid serves until it ends", async () => {
    const lab = createLab();
    const first = lab.start();
    const id = await signIn(lab, first);
    await lab.clock.advance(HOUR_MS - 600_000);
    const never = Promise.withResolvers<void>();
    first.step = (moment) => (moment === "sent" ? never.promise : Promise.resolve());
    expect(await had(first.sessions.source(lab.user, id))).toBe("at-1");
    await settle();
    const second = lab.start();
    await lab.clock.advance(LOCK_MS);
    for (let round = 0; round < 5; round += 1) {
      expect(await ask(lab, second, id)).toBe("at-1");
      await lab.clock.advance(100_000);
    }
    await lab.clock.advance(100_000);
    expect(await ask(lab, second, id)).toBe("LOGIN_REQUIRED");
    expect(lab.provider.count("refresh_token")).toBe(1);
    expect(lab.store.records.has(`session ${id}`)).toBe(true);
  });

  it("a lock that the store lost is no death: while an intent is young it is waited for", async () => {
    const lab = createLab();
    const first = lab.start();
    const id = await signIn(lab, first);
    await lab.clock.advance(HOUR_MS);
    const held = Promise.withResolvers<void>();
    first.step = (moment) => (moment === "sent" ? held.promise : Promise.resolve());
    const slow = had(first.sessions.source(lab.user, id));
    await settle();
    const second = lab.start();
    const { lock } = second.vault;
    second.vault.lock = async () => ({ renew: async () => true, release: async () => {} });
    const other = had(second.sessions.source(lab.user, id));
    await lab.clock.advance(3_000);
    second.vault.lock = lock;
    held.resolve();
    await lab.clock.advance(1_000);
    expect([await slow, await other]).toEqual(["at-2", "at-2"]);
    expect(lab.provider.count("refresh_token")).toBe(1);
  });

  it("a login elsewhere that takes the session's tokens along waits for the refresh under way", async () => {
    const lab = createLab();
    const first = lab.start();
    const second = lab.start();
    const id = await signIn(lab, first);
    await lab.clock.advance(HOUR_MS);
    const held = Promise.withResolvers<void>();
    first.step = (moment) => (moment === "sent" ? held.promise : Promise.resolve());
    const slow = had(first.sessions.source(lab.user, id));
    await settle();
    const other = lab.credentials.get("other") ?? lab.user;
    const moving = signIn(lab, second, { sessionId: id, credential: other });
    await lab.clock.advance(500);
    held.resolve();
    await lab.clock.advance(500);
    expect(await slow).toBe("at-2");
    expect(await had(second.sessions.source(lab.user, await moving))).toBe("at-2");
    await lab.clock.advance(HOUR_MS);
    expect(await had(second.sessions.source(lab.user, await moving))).toMatch(/^at-/);
    expect(lab.provider.resent).toEqual([]);
  });
});
