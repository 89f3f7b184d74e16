import { describe, expect, it } from "vitest";
import { StoreUnavailable } from "../../src/store/store.ts";
import { LOCK_TTL_MS } from "../../src/token/held-lock.ts";
import { gate, grant, had, hadNow, oauthError, ok, settle, spec } from "./engine.ts";
import { createSharedLab, type Replica } from "./shared-lab.ts";

const machine = spec();
const forever = new Promise<never>(() => {});

/** In fake milliseconds; what takes longer than `withinMs` fails. */
async function tookMs(
  replica: Replica,
  advance: (ms: number) => Promise<void>,
  withinMs: number,
): Promise<number> {
  let token: string | undefined;
  void had(replica.source).then((value) => {
    token = value;
  });
  for (let passedMs = 0; passedMs <= withinMs; passedMs += 1) {
    await settle();
    if (token !== undefined) {
      expect(token).toMatch(/^token-\d+$/);
      return passedMs;
    }
    await advance(1);
  }
  throw new Error(`no token within ${withinMs} ms`);
}

describe("a store that", () => {
  it("is down adds nothing, and is used again when it is back", async () => {
    const lab = createSharedLab();
    const [first, second] = lab.replicas(2) as [Replica, Replica];
    for (const { vault } of [first, second]) vault.down = true;
    expect(await tookMs(first, lab.clock.advance, 0)).toBe(0);
    expect(await tookMs(second, lab.clock.advance, 0)).toBe(0);
    expect(lab.endpoint.requests).toHaveLength(2);
    for (const { vault } of [first, second]) vault.down = false;
    await lab.clock.advance(2_790_000);
    expect([hadNow(first.source), hadNow(second.source)]).toEqual(["token-1", "token-2"]);
    await lab.clock.advance(170_000);
    expect([hadNow(first.source), hadNow(second.source)]).toEqual(["token-3", "token-3"]);
  });

  it("says nothing adds 50 ms at most, once, and is used again when it answers", async () => {
    const lab = createSharedLab({ tokenRequestsPerSecond: 100 });
    const first = lab.replica();
    first.vault.step = () => forever;
    expect(await tookMs(first, lab.clock.advance, 50)).toBeGreaterThan(20);
    const { sources } = first;
    const other = sources.source("other", undefined, machine);
    expect(await tookMs({ ...first, source: other }, lab.clock.advance, 20)).toBeLessThan(20);
    first.vault.step = undefined;
    await lab.clock.advance(1_000);
    lab.endpoint.reply = grant();
    await had(lab.replica().source);
    const third = sources.source("c", "healed", machine);
    first.vault.operations.length = 0;
    await had(third);
    expect(first.vault.operations).toContain("lock token");
  });

  it("is silent in one part adds 50 ms at most there, though another part answers, and nothing elsewhere", async () => {
    const lab = createSharedLab();
    const first = lab.replica();
    const isSilent = (key: string): boolean => key === lab.key || key === "probe 3";
    first.vault.parts = (key) => (isSilent(key) ? "silent" : "well");
    const { lock, read } = first.vault;
    first.vault.lock = (kind, key, ttlMs) => (isSilent(key) ? forever : lock(kind, key, ttlMs));
    first.vault.read = (kind, key) => (isSilent(key) ? forever : read(kind, key));
    let count = 0;
    const busily = async (ms: number): Promise<void> => {
      count += 1;
      void first.sources.source(`chatter-${count}`, undefined, machine).token();
      await lab.clock.advance(ms);
    };
    expect(await tookMs(first, busily, 50)).toBeGreaterThan(20);
    expect(first.vault.operations.length).toBeGreaterThan(40);
    const elsewhere = first.sources.source("elsewhere", undefined, machine);
    expect(await tookMs({ ...first, source: elsewhere }, lab.clock.advance, 20)).toBeLessThan(20);
    first.vault.operations.length = 0;
    await had(first.sources.source("again", undefined, machine));
    expect(first.vault.operations).toContain("lock token");
  });

  it("answers, if slowly, while many ask is not given up", async () => {
    const lab = createSharedLab();
    const first = lab.replica();
    let turn = 0;
    first.vault.step = (moment) => {
      turn += moment.startsWith("before") ? 1 : 0;
      const { promise, resolve } = Promise.withResolvers<void>();
      lab.clock.schedule(turn * 20, () => resolve());
      return promise;
    };
    const sources = Array.from({ length: 5 }, (_, index) =>
      first.sources.source(`c${index}`, undefined, { ...machine, audience: `${index}` }),
    );
    const tokens = sources.map(had);
    await lab.clock.advance(2_000);
    await Promise.all(tokens);
    expect(first.vault.operations.filter((each) => each === "write token")).toHaveLength(5);
  });

  it("holds something else under the key is overwritten", async () => {
    const lab = createSharedLab();
    const { vault } = lab.replica();
    for (const content of [null, 7, "x", {}, { access_token: "a b", lifetime_ms: 1, sent_at_ms: 1 }]) {
      await vault.write("token", lab.key, content, { expiresAtMs: lab.clock.wall() + 3_600_000 });
      const replica = lab.replica();
      const token = await had(replica.source);
      expect(token).toMatch(/^token-\d$/);
      await settle();
      expect(await had(lab.replica().source)).toBe(token);
    }
  });

  it("holds a token of a time that has not come yet is not believed", async () => {
    const lab = createSharedLab();
    const record = { access_token: "future", lifetime_ms: 60_000, sent_at_ms: lab.clock.wall() + 5_000 };
    await lab.replica().vault.write("token", lab.key, record, { expiresAtMs: lab.clock.wall() + 60_000 });
    expect(await had(lab.replica().source)).toBe("token-1");
  });

  it("only reads gives the tokens that are in it, and holds up nobody", async () => {
    const lab = createSharedLab();
    const writer = lab.replica();
    await had(writer.source);
    await writer.sources.close();
    const readOnly = lab.replica();
    const refuse = async (moment: string): Promise<void> => {
      if (/^before (?:lock|write|remove)/.test(moment)) throw new StoreUnavailable("it is a replica");
    };
    readOnly.vault.step = refuse;
    expect(await had(readOnly.source)).toBe("token-1");
    expect(lab.endpoint.requests).toHaveLength(1);
    await lab.clock.advance(3_600_000);
    expect(await tookMs(readOnly, lab.clock.advance, 0)).toBe(0);
    expect(lab.endpoint.requests).toHaveLength(2);
  });
});

describe("the holder of the lock", () => {
  it("that dies is followed by another within 6 s", async () => {
    const lab = createSharedLab();
    await lab.replica().vault.lock("token", lab.key, LOCK_TTL_MS);
    expect(await tookMs(lab.replica(), lab.clock.advance, 6_000)).toBeGreaterThanOrEqual(LOCK_TTL_MS);
    expect(lab.endpoint.requests).toHaveLength(1);
  });

  it("that fails is followed by another soon", async () => {
    const lab = createSharedLab();
    const [first, second] = lab.replicas(2) as [Replica, Replica];
    const answered = gate<ReturnType<typeof oauthError>>();
    lab.endpoint.reply = () => answered.promise;
    const failing = had(first.source);
    await settle();
    const waiting = had(second.source);
    await lab.clock.advance(100);
    lab.endpoint.reply = grant();
    answered.open(oauthError(500, ""));
    expect(await failing).toBe("TOKEN_UNAVAILABLE");
    await lab.clock.advance(2_500);
    expect(await waiting).toBe("token-2");
  });

  it("keeps it while it waits for its turn, and the others do not ask twice", async () => {
    const lab = createSharedLab({ tokenRequestsPerSecond: 0.05 });
    const [first, second] = lab.replicas(2) as [Replica, Replica];
    const other = first.sources.source("c", "other", { ...machine, tokenRequestsPerSecond: 0.05 });
    const before = had(other);
    await settle();
    const tokens = [had(first.source), had(second.source)];
    await lab.clock.advance(19_000);
    expect(lab.endpoint.requests).toHaveLength(1);
    expect(await before).toBe("token-1");
    // They have waited for 10 s and were told to come again.
    expect(await Promise.all(tokens)).toEqual(["TOKEN_UNAVAILABLE", "TOKEN_UNAVAILABLE"]);
    await lab.clock.advance(25_000);
    expect([hadNow(first.source), hadNow(second.source)]).toEqual(["token-2", "token-2"]);
    expect(lab.endpoint.requests).toHaveLength(2);
  });

  it("that is slow does not keep the others from the endpoint for good", async () => {
    const lab = createSharedLab();
    const [first, second] = lab.replicas(2) as [Replica, Replica];
    lab.endpoint.reply = () => forever;
    void had(first.source);
    await settle();
    lab.endpoint.reply = grant();
    const took = await tookMs(second, lab.clock.advance, 9_000);
    expect(took).toBeGreaterThan(5_000);
  });

  it("that lost it does not overwrite a newer token", async () => {
    const lab = createSharedLab();
    const [first, second] = lab.replicas(2) as [Replica, Replica];
    const answered = gate<ReturnType<typeof ok>>();
    lab.endpoint.reply = () => answered.promise;
    const slow = had(first.source);
    await settle();
    first.vault.down = true;
    await lab.clock.advance(LOCK_TTL_MS);
    first.vault.down = false;
    lab.endpoint.reply = () => ok({ access_token: "newer", token_type: "Bearer", expires_in: 3_600 });
    expect(await had(second.source)).toBe("newer");
    answered.open(ok({ access_token: "older", token_type: "Bearer", expires_in: 3_600 }));
    expect(await slow).toBe("older");
    await settle();
    expect(await had(lab.replica().source)).toBe("newer");
    expect(lab.endpoint.requests).toHaveLength(2);
  });
});
