import { describe, expect, it } from "vitest";
import { bare, gate, grant, had, hadNow, oauthError, ok, settle } from "./engine.ts";
import { createSharedLab, type Replica, type SharedLab } from "./shared-lab.ts";

const all = (replicas: readonly Replica[]) => Promise.all(replicas.map(({ source }) => had(source)));

/** With the time that whoever waits for another's token needs to look again. */
async function allHad(lab: SharedLab, replicas: readonly Replica[]): Promise<readonly string[]> {
  const tokens = all(replicas);
  await lab.clock.advance(3_000);
  return tokens;
}

describe("replicas with one store", () => {
  it("that all need a token at once have one of them fetch it", async () => {
    const lab = createSharedLab();
    const answered = gate<ReturnType<typeof ok>>();
    lab.endpoint.reply = () => answered.promise;
    const tokens = all(lab.replicas(20));
    await lab.clock.advance(200);
    answered.open(ok({ access_token: "one", token_type: "Bearer", expires_in: 3_600 }));
    await lab.clock.advance(1_500);
    expect(await tokens).toEqual(Array(20).fill("one"));
    expect(lab.endpoint.requests).toHaveLength(1);
  });

  it("that come later read it, and count no token request", async () => {
    const lab = createSharedLab();
    await had(lab.replica().source);
    await lab.clock.advance(1_000_000);
    const late = lab.replica();
    expect(await had(late.source)).toBe("token-1");
    expect(late.exchanges).toEqual([]);
    expect(late.sources.states()).toMatchObject([{ state: "fresh", lifetimeMs: 3_600_000 }]);
    const [state] = late.sources.states();
    expect(state?.expiresAtMs).toBe(lab.clock.wall() + 2_600_000);
  });

  it("ask the endpoint once per lifetime, however long they go on", async () => {
    const lab = createSharedLab();
    const replicas = lab.replicas(5);
    for (let minute = 0; minute < 600; minute += 1) {
      const tokens = all(replicas);
      await lab.clock.advance(60_000);
      expect(new Set(await tokens).size).toBeLessThanOrEqual(2);
    }
    const lifetimes = 36_000 / (3_600 * 0.78);
    expect(lab.endpoint.requests.length).toBeGreaterThanOrEqual(10);
    expect(lab.endpoint.requests.length).toBeLessThanOrEqual(Math.ceil(lifetimes));
  });

  it("do not take the token that is due for renewal for a new one", async () => {
    const lab = createSharedLab();
    const [first, second] = lab.replicas(2) as [Replica, Replica];
    await allHad(lab, [first, second]);
    await lab.clock.advance(2_790_000);
    expect([hadNow(first.source), hadNow(second.source)]).toEqual(["token-1", "token-1"]);
    await lab.clock.advance(170_000);
    expect([hadNow(first.source), hadNow(second.source)]).toEqual(["token-2", "token-2"]);
    expect(lab.endpoint.requests).toHaveLength(2);
  });

  it.each([-86_400_000, -3_600_000, 3_600_000, 86_400_000])(
    "with a wall clock that is %d ms ahead read the others' tokens, and never an expired one",
    async (aheadMs) => {
      const lab = createSharedLab();
      lab.endpoint.reply = grant(60);
      const right = lab.replica();
      const wrong = lab.replica({ aheadMs });
      expect(await had(right.source)).toBe("token-1");
      expect(await had(wrong.source)).toBe("token-1");
      lab.endpoint.reply = () => oauthError(503, "");
      await lab.clock.advance(59_900);
      expect(hadNow(wrong.source)).toBe("token-1");
      await lab.clock.advance(100);
      expect(hadNow(wrong.source)).toBe("(waits)");
      expect(hadNow(lab.replica({ aheadMs }).source)).toBe("(waits)");
      lab.endpoint.reply = grant(60);
      await lab.clock.advance(60_000);
      expect(await had(wrong.source)).toBe(await had(right.source));
    },
  );

  it("have a secret each that was rotated in its own time, and a token for each", async () => {
    const lab = createSharedLab();
    const replicas = lab.replicas(4);
    await allHad(lab, replicas);
    const rotated = replicas.slice(0, 2);
    for (const { secrets } of rotated) secrets.set("CLIENT_SECRET", "s3cret-1");
    expect(await allHad(lab, replicas)).toEqual(["token-2", "token-2", "token-1", "token-1"]);
    for (const { secrets } of replicas) secrets.set("CLIENT_SECRET", "s3cret-1");
    expect(await allHad(lab, replicas)).toEqual(Array(4).fill("token-2"));
    expect(lab.endpoint.requests).toHaveLength(2);
  });

  it("end by sharing what they had, so that the next to start has it", async () => {
    const lab = createSharedLab();
    const first = lab.replica();
    const written = gate<void>();
    first.vault.step = async (moment) => {
      if (moment === "before write token") await written.promise;
    };
    expect(await had(first.source)).toBe("token-1");
    const closed = first.sources.close();
    written.open();
    await closed;
    expect(await had(lab.replica().source)).toBe("token-1");
  });

  it("keep nothing readable but in the sealed record", async () => {
    const lab = createSharedLab();
    await had(lab.replica().source);
    await settle();
    const names = [...lab.records.keys()];
    expect(names).toEqual([`token ${lab.key}`]);
    expect(names.join()).not.toMatch(/client-1|s3cret|token-1|id\.example/);
    expect(JSON.parse(lab.records.get(names[0] ?? "")?.content ?? "")).toEqual({
      access_token: "token-1",
      lifetime_ms: 3_600_000,
      sent_at_ms: lab.clock.wall(),
    });
  });
});

describe("a token that an upstream refused", () => {
  it("is replaced by one forced refresh over all replicas", async () => {
    const lab = createSharedLab();
    const replicas = lab.replicas(6);
    await allHad(lab, replicas);
    const newer = replicas.map(async ({ source }) => source.invalidate(await source.token()));
    await lab.clock.advance(3_000);
    expect((await Promise.all(newer)).map((injection) => injection && bare(injection))).toEqual(
      Array(6).fill("token-2"),
    );
    expect(lab.endpoint.requests).toHaveLength(2);
  });

  it("is not refreshed where another replica did so already", async () => {
    const lab = createSharedLab();
    const [first, second] = lab.replicas(2) as [Replica, Replica];
    await allHad(lab, [first, second]);
    await first.source.invalidate(await first.source.token());
    await lab.clock.advance(60_000);
    const newer = await second.source.invalidate(await second.source.token());
    expect(newer && bare(newer)).toBe("token-2");
    expect(lab.endpoint.requests).toHaveLength(2);
  });

  it("does not come back out of the store, to nobody, though no new one can be had", async () => {
    const lab = createSharedLab();
    const [first, second] = lab.replicas(2) as [Replica, Replica];
    await had(first.source);
    lab.endpoint.reply = () => oauthError(503, "");
    expect(await first.source.invalidate(await first.source.token())).toBeUndefined();
    expect(await had(first.source)).toBe("TOKEN_UNAVAILABLE");
    expect(await had(second.source)).toBe("TOKEN_UNAVAILABLE");
    await lab.clock.advance(30_000);
    lab.endpoint.reply = grant();
    await lab.clock.advance(30_000);
    expect(await had(second.source)).toMatch(/^token-\d+$/);
    expect(await had(first.source)).toBe(await had(second.source));
  });

  it("and whose successor is refused, too, is not forced again within 10 s, by no replica", async () => {
    const lab = createSharedLab();
    const [first, second, third] = lab.replicas(3) as [Replica, Replica, Replica];
    await had(first.source);
    await first.source.invalidate(await first.source.token());
    expect(await had(second.source)).toBe("token-2");
    await lab.clock.advance(9_000);
    expect(await second.source.invalidate(await second.source.token())).toBeUndefined();
    expect(hadNow(second.source)).toBe("token-2");
    expect(lab.endpoint.requests).toHaveLength(2);
    expect(await had(third.source)).toBe("token-2");
    await lab.clock.advance(1_001);
    const newer = await third.source.invalidate(await third.source.token());
    expect(newer && bare(newer)).toBe("token-3");
  });
});
