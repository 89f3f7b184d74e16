import { describe, expect, it } from "vitest";
import { bare, createLab, signIn } from "./lab.ts";

const DAY_MS = 86_400_000;

describe("a visitor's request that waited longer than its token lives", () => {
  it("goes on with the session that it made, and its token counts once", async () => {
    const lab = createLab();
    const process = lab.start();
    const source = process.sessions.source(lab.anonymous, undefined);
    const unsent = await source.token();
    const { created } = source;
    lab.clock.sleep(DAY_MS);
    expect(unsent.hasAged(lab.clock.now() - DAY_MS, lab.clock)).toBe(true);
    expect([bare(unsent), bare(await source.token(unsent)), source.created]).toEqual([
      "anon-1",
      "anon-2",
      created,
    ]);
    expect(process.observed).toEqual([
      "anonymous outcome:success",
      "anonymous served:fresh",
      "anonymous outcome:success",
    ]);
  });

  it("goes on with the user's session, and its token counts once", async () => {
    const lab = createLab();
    const process = lab.start();
    const source = process.sessions.source(lab.user, await signIn(lab, process));
    const unsent = await source.token();
    const before = process.observed.length;
    lab.clock.sleep(DAY_MS);
    const newer = await source.token(unsent);
    expect(bare(newer)).not.toBe(bare(unsent));
    expect(process.observed.slice(before)).toEqual(["user outcome:success"]);
  });
});
