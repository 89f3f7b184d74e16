import { describe, expect, it } from "vitest";
import { createLab, had, hadNow, refusal, signedIn, signIn } from "./lab.ts";
import { answer } from "./scripted-provider.ts";

const HOUR_MS = 3_600_000;

describe("while the store is down", () => {
  it("a session in memory goes on with its valid token, and looks again", async () => {
    const { lab, process, id, ask } = await signedIn();
    process.vault.down = true;
    for (let round = 0; round < 5; round += 1) {
      await lab.clock.advance(10_000);
      expect(await ask()).toBe("at-1");
    }
    lab.store.records.delete(`session ${id}`);
    process.vault.down = false;
    await lab.clock.advance(2_000);
    expect(await ask()).toBe("LOGIN_REQUIRED");
  });

  it("a session not in memory gets STORE_UNAVAILABLE, never a sign-out", async () => {
    const { lab, id } = await signedIn();
    const other = lab.start();
    other.vault.down = true;
    const { sessions } = other;
    const error = await refusal(Promise.resolve(sessions.source(lab.user, id).token()));
    expect([error.code, error.retryAfterSeconds]).toEqual(["STORE_UNAVAILABLE", 2]);
    for (const asked of [sessions.describe(id), sessions.isSignedIn(id), sessions.logout(id)]) {
      expect((await refusal(asked)).code).toBe("STORE_UNAVAILABLE");
    }
    other.vault.down = false;
    expect(await had(sessions.source(lab.user, id))).toBe("at-1");
  });

  it("no refresh token is sent, and the session goes on afterwards", async () => {
    const { lab, process, ask } = await signedIn();
    process.vault.down = true;
    await lab.clock.advance(HOUR_MS);
    expect(await ask()).toBe("STORE_UNAVAILABLE");
    expect(lab.provider.count("refresh_token")).toBe(0);
    process.vault.down = false;
    await lab.clock.advance(2_000);
    expect(await ask()).toBe("at-2");
  });

  it("that fails between intent and body sends nothing", async () => {
    const { lab, process, ask } = await signedIn();
    await lab.clock.advance(HOUR_MS);
    process.step = async (moment) => {
      if (moment === "connected") process.vault.down = true;
    };
    expect(await ask()).toBe("STORE_UNAVAILABLE");
    expect(lab.provider.count("refresh_token")).toBe(0);
  });

  it("that fails before the answer is stored: it is stored later, used only then, and nothing is sent twice", async () => {
    const { lab, process, ask, id } = await signedIn();
    await lab.clock.advance(HOUR_MS);
    process.step = async (moment) => {
      if (moment === "sent") process.vault.down = true;
    };
    expect(await ask()).toBe("STORE_UNAVAILABLE");
    await lab.clock.advance(10_000);
    expect(await ask()).toBe("STORE_UNAVAILABLE");
    expect(lab.store.records.get(`session ${id}`)?.content).not.toContain("rt-2");
    process.step = undefined;
    process.vault.down = false;
    await lab.clock.advance(6_000);
    expect(lab.store.records.get(`session ${id}`)?.content).toContain("rt-2");
    expect(await ask()).toBe("at-2");
    expect(lab.provider.count("refresh_token")).toBe(1);
  });

  it("the same, and the process ends: it is stored as it closes", async () => {
    const { lab, process, ask, id } = await signedIn();
    await lab.clock.advance(HOUR_MS);
    process.step = async (moment) => {
      if (moment === "sent") process.vault.down = true;
    };
    await ask();
    process.vault.down = false;
    await process.sessions.close();
    expect(lab.store.records.get(`session ${id}`)?.content).toContain("rt-2");
  });

  it("a write that was done though it seemed to fail is recognized", async () => {
    const { lab, process, ask } = await signedIn();
    await lab.clock.advance(HOUR_MS);
    process.vault.step = async (moment) => {
      if (moment === "after write session") {
        process.vault.step = undefined;
        throw new (await import("../../src/store/store.ts")).StoreUnavailable("too late");
      }
    };
    expect(await ask()).toBe("STORE_UNAVAILABLE");
    await lab.clock.advance(2_000);
    expect(await ask()).toBe("at-2");
    expect(lab.provider.resent).toEqual([]);
  });

  it("an answered failure whose intent cannot be taken back is not doubted by the same process", async () => {
    const { lab, process, ask } = await signedIn();
    await lab.clock.advance(HOUR_MS);
    lab.provider.intercept = () => {
      process.vault.down = true;
      return answer(503, "");
    };
    expect(await ask()).toBe("TOKEN_UNAVAILABLE");
    process.vault.down = false;
    lab.provider.intercept = undefined;
    // Its lock could not be given back either, and has to run out.
    await lab.clock.advance(16_000);
    expect(await ask()).toBe("at-2");
  });

  it("a visitor without a session costs no anonymous token", async () => {
    const lab = createLab();
    const process = lab.start();
    process.vault.down = true;
    expect(await had(process.sessions.source(lab.anonymous, undefined))).toBe("STORE_UNAVAILABLE");
    expect(lab.provider.requests).toEqual([]);
  });
});

describe("a store of this process alone", () => {
  it("is not asked again for a session in memory", async () => {
    const lab = createLab();
    const process = lab.start({ shared: false });
    const id = await signIn(lab, process);
    const operations = process.vault.operations.length;
    await lab.clock.advance(50_000);
    expect(hadNow(process.sessions.source(lab.user, id))).toBe("at-1");
    expect(process.vault.operations.length).toBe(operations);
  });
});

describe("a logout in another process", () => {
  it("is seen within 3 s, by a busy session too", async () => {
    const { lab, id, process } = await signedIn();
    const other = lab.start();
    expect(await had(other.sessions.source(lab.user, id))).toBe("at-1");
    await process.sessions.logout(id);
    const seen: (string | undefined)[] = [];
    for (let waitedMs = 0; waitedMs < 3_000; waitedMs += 100) {
      seen.push(await had(other.sessions.source(lab.user, id)));
      await lab.clock.advance(100);
    }
    expect(seen.at(-1)).toBe("LOGIN_REQUIRED");
  });

  it("a busy session does not wait for the looks at the store", async () => {
    const { lab, id, process } = await signedIn();
    for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 100) {
      expect(hadNow(process.sessions.source(lab.user, id))).toBe("at-1");
      await lab.clock.advance(100);
    }
    expect(process.vault.operations.filter((each) => each === "read session").length).toBeLessThan(13);
  });
});
