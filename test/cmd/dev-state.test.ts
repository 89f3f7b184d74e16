import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDevState } from "../../cmd/dev-state.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "pillion-state-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const open = () => openDevState({ XDG_STATE_HOME: home });
const mode = (file: string) => (statSync(file).mode & 0o777).toString(8);

describe("the state of dev", () => {
  it("lies in $XDG_STATE_HOME, else below the home directory", () => {
    for (const [env, directory] of [
      [{ XDG_STATE_HOME: home, HOME: "/nonexistent" }, join(home, "pillion")],
      [{ HOME: home }, join(home, ".local", "state", "pillion")],
      [{ XDG_STATE_HOME: "relative", HOME: home }, join(home, ".local", "state", "pillion")],
    ] as const) {
      const state = openDevState(env);
      expect(state.directory).toBe(directory);
      state.close();
    }
  });

  it("is readable for its user alone", () => {
    const { directory, store, close } = open();
    expect(mode(directory)).toBe("700");
    expect(mode(store.keyFile)).toBe("600");
    expect(mode(join(directory, "dev-emulator.sqlite"))).toBe("600");
    close();
  });

  it("has one key of 32 bytes, which stays", () => {
    const first = open();
    const key = readFileSync(first.store.keyFile, "utf8");
    first.close();
    const second = open();
    expect(readFileSync(second.store.keyFile, "utf8")).toBe(key);
    expect(Buffer.from(key, "base64")).toHaveLength(32);
    second.close();
  });

  it("keeps records, by prefix and in their order, what is replaced in its place", () => {
    const first = open();
    first.records.put("grant/b", { n: 1 });
    first.records.put("grant/a", { n: 2 });
    first.records.put("grant_c", { n: 3 });
    first.records.put("grant/b", { n: 4 });
    first.records.put("grant/d", { n: 5 });
    first.records.remove("grant/d");
    first.close();
    const second = open();
    expect(second.records.list("grant/")).toEqual([{ n: 4 }, { n: 2 }]);
    expect(second.records.list("none")).toEqual([]);
    second.close();
  });

  it("belongs to one process at a time", () => {
    const first = open();
    expect(open).toThrow(/locked/);
    first.close();
    open().close();
  });

  it("cannot be had where the directory cannot be", () => {
    const file = join(home, "file");
    writeFileSync(file, "");
    chmodSync(file, 0o400);
    expect(() => openDevState({ XDG_STATE_HOME: file })).toThrow(/ENOTDIR/);
  });
});
