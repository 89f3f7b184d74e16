import { describe, expect, it } from "vitest";
import { createEngine, had, refusal, staticSpec } from "./engine.ts";

describe("a static credential", () => {
  it("injects its header, one object until the secret changes", async () => {
    const { sources, secrets, count } = createEngine();
    const source = sources.source("key", undefined, staticSpec());
    const injection = await source.token();
    expect(injection.headers).toEqual(["x-api-key", "s3cret-0"]);
    expect(source.token()).toBe(injection);
    secrets.set("CLIENT_SECRET", "s3cret-1");
    expect((await source.token()).headers).toEqual(["x-api-key", "s3cret-1"]);
    expect(count()).toBe(0);
  });

  it("that the upstream refuses is read again, and handed out if it changed", async () => {
    const { sources, secrets, clock } = createEngine();
    const source = sources.source("key", undefined, staticSpec());
    const rejected = await source.token();
    expect(await source.invalidate(rejected)).toBeUndefined();
    expect(await source.invalidate(rejected)).toBeUndefined();
    expect(secrets.refreshes).toBe(1);
    secrets.stage("CLIENT_SECRET", "s3cret-1");
    await clock.advance(10_000);
    expect((await source.invalidate(rejected))?.headers[1]).toBe("s3cret-1");
  });

  it("without a value is refused, and keeps the last one it had", async () => {
    const { sources, secrets, observed } = createEngine();
    secrets.set("CLIENT_SECRET", undefined);
    const source = sources.source("key", "isb", staticSpec());
    const error = await refusal(source);
    expect(error.code).toBe("TOKEN_UNAVAILABLE");
    expect(error.message).toBe(
      "credential key, tenant isb: no usable value: CLIENT_SECRET is not set; check the reference of value",
    );
    expect(observed).toEqual(["unavailable:secret_unreadable"]);
    secrets.set("CLIENT_SECRET", "s3cret-1");
    await source.token();
    secrets.set("CLIENT_SECRET", undefined);
    expect(await had(source)).toBe("s3cret-1");
  });

  it.each(["a\r\nb", "a\u0000b", " a", "snow\u2603"])(
    "with %j, which no header can carry, is refused",
    async (value) => {
      const { sources, secrets } = createEngine();
      secrets.set("CLIENT_SECRET", value);
      expect(await had(sources.source("key", undefined, staticSpec()))).toBe("TOKEN_UNAVAILABLE");
    },
  );
});
