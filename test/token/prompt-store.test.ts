import { expect, it } from "vitest";
import type { LogFields, Logger } from "../../src/core/log.ts";
import { createPromptStore, RETRY_MS, SILENCE_MS } from "../../src/token/prompt-store.ts";
import { createScriptedStore } from "../session/scripted-vault.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { settle } from "./engine.ts";

const forever = new Promise<never>(() => {});

it("a store that is left out is told of once, with the reason, and once when it is asked again; of many times a minute one is a warning", async () => {
  const clock = createFakeClock();
  const lines: string[] = [];
  const note =
    (level: string) =>
    (event: string, { reason = "" }: LogFields = {}): void =>
      void lines.push(`${level} ${event} ${reason}`.trim());
  const log: Logger = { error: note("error"), warn: note("warn"), info: note("info"), debug: note("debug") };
  const vault = createScriptedStore(clock).vault();
  const store = createPromptStore({ clock, log, vault: () => vault });
  const ask = () =>
    store
      .ask("a", (asked) => asked.read("token", "a"))
      .then(
        () => "answered",
        () => "without",
      );
  const advance = async (ms: number): Promise<void> => {
    for (let passedMs = 0; passedMs < ms; passedMs += 4) {
      await clock.advance(4);
      await settle();
    }
  };

  async function comeAndGo(): Promise<void> {
    vault.step = () => forever;
    const several = [ask(), ask(), ask()];
    await advance(SILENCE_MS + 8);
    expect(await Promise.all(several)).toEqual(["without", "without", "without"]);
    expect(await ask()).toBe("without");
    // It is tried, and is as silent as before: nothing new.
    await advance(RETRY_MS + SILENCE_MS + 8);
    vault.step = undefined;
    await advance(RETRY_MS + 8);
    expect(await ask()).toBe("answered");
  }

  await comeAndGo();
  await comeAndGo();
  await advance(30_000);
  await comeAndGo();
  const reason = "the store gave no answer within 32 ms: machine tokens do without it";
  expect(lines).toEqual([
    `warn store_slow ${reason}`,
    "info store_prompt",
    `debug store_slow ${reason}`,
    "debug store_prompt",
    `warn store_slow ${reason}`,
    "info store_prompt",
  ]);
  store.close();
});
