import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Watcher, type WatchOptions, watchFiles } from "../../src/config/watch.ts";
import { type Clock, createSystemClock } from "../../src/core/clock.ts";

/** A change must be in use within this time. */
const SEEN_WITHIN_MS = 5_000;

let root = "";
let watchers: Watcher[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "pillion-"));
  watchers = [];
});
afterEach(() => {
  for (const watcher of watchers) watcher.close();
  rmSync(root, { recursive: true, force: true });
});

interface Watching {
  readonly watcher: Watcher;
  /** Resolves as soon as a change was reported after which `condition` holds. */
  until(condition: (changed: readonly string[]) => boolean): Promise<void>;
  readonly reports: readonly (readonly string[])[];
}

function watching(options: Partial<WatchOptions>): Watching {
  const reports: (readonly string[])[] = [];
  let waiting:
    | { readonly condition: (changed: readonly string[]) => boolean; readonly resolve: () => void }
    | undefined;
  const watcher = watchFiles({
    paths: [],
    directories: [],
    clock,
    debounceMs: 20,
    ...options,
    onChange(changed) {
      reports.push(changed);
      if (waiting?.condition(changed) === true) waiting.resolve();
    },
  });
  watchers.push(watcher);
  return {
    watcher,
    reports,
    until(condition) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting = { condition, resolve };
      return promise;
    },
  };
}

/** Files seem long settled, so that every report is of a change; what young files do is tested with their states. */
const clock: Clock = { ...createSystemClock(), wall: () => Date.now() + 3_600_000 };

/** Only polls, as where events do not come: subPath mounts and network file systems. */
const POLLING = { maxWatchers: 0, pollMs: 20 } as const;
/** Only events: a poll would come too late for any of these tests. */
const EVENTS = { pollMs: 60_000 } as const;

describe.each([
  ["by events", EVENTS],
  ["by polling", POLLING],
])("a changed file is seen %s", (_, options) => {
  it("when it is written in place", async () => {
    const path = join(root, "a");
    writeFileSync(path, "1");
    const { until } = watching({ ...options, paths: [path] });
    const seen = until((changed) => changed.includes(path));
    writeFileSync(path, "2");
    await seen;
  });

  it("when an editor puts another in its place", async () => {
    const path = join(root, "a");
    writeFileSync(path, "1");
    const { until } = watching({ ...options, paths: [path] });
    for (const content of ["2", "3", "4"]) {
      const seen = until(() => readFileSync(path, "utf8") === content);
      writeFileSync(`${path}.new`, content);
      renameSync(`${path}.new`, path);
      await seen;
    }
  });

  it("when it is removed, and when it comes back", async () => {
    const path = join(root, "a");
    writeFileSync(path, "1");
    const { until } = watching({ ...options, paths: [path] });
    const removed = until(() => true);
    rmSync(path);
    await removed;
    const back = until(() => true);
    writeFileSync(path, "1");
    await back;
  });

  it("when only one of several changed, by its name", async () => {
    const paths = ["a", "b"].map((name) => join(root, name));
    for (const path of paths) writeFileSync(path, "1");
    const { until, reports, watcher } = watching({ ...options, paths });
    const seen = until(() => true);
    writeFileSync(join(root, "b"), "2");
    await seen;
    watcher.close();
    expect(reports).toEqual([[join(root, "b")]]);
  });

  it("in a tenant's folder, and when a tenant comes or goes", async () => {
    const directory = join(root, "tenants");
    mkdirSync(join(directory, "isb"), { recursive: true });
    writeFileSync(join(directory, "isb/account"), "1");
    const { until } = watching({ ...options, directories: [directory] });
    const steps = [
      () => writeFileSync(join(directory, "isb/account"), "2"),
      () => writeFileSync(join(directory, "isb/client_id"), "2"),
      () => mkdirSync(join(directory, "lhr")),
      () => writeFileSync(join(directory, "lhr/client_id"), "2"),
      () => rmSync(join(directory, "isb"), { recursive: true }),
    ];
    for (const step of steps) {
      const seen = until((changed) => changed.includes(directory));
      step();
      await seen;
    }
  });
});

/** As the kubelet does it: a new folder, a new link beside the old one, and one rename. */
function swap(mount: string, turn: number, content: string): void {
  mkdirSync(join(mount, `..turn_${turn}`));
  writeFileSync(join(mount, `..turn_${turn}`, "secret"), content);
  symlinkSync(`..turn_${turn}`, join(mount, "..data_tmp"));
  renameSync(join(mount, "..data_tmp"), join(mount, "..data"));
  rmSync(join(mount, `..turn_${turn - 1}`), { recursive: true, force: true });
}

describe("Kubernetes' swap of the ..data link", () => {
  it("is seen twenty times of twenty, each within 5 s", { timeout: 60_000 }, async () => {
    swap(root, 0, "value-0");
    symlinkSync("..data/secret", join(root, "secret"));
    const { until } = watching({ paths: [join(root, "secret")], debounceMs: 100, pollMs: 2_000 });
    for (let turn = 1; turn <= 20; turn++) {
      const startedAt = performance.now();
      const seen = until(() => readFileSync(join(root, "secret"), "utf8") === `value-${turn}`);
      swap(root, turn, `value-${turn}`);
      await seen;
      expect(performance.now() - startedAt).toBeLessThan(SEEN_WITHIN_MS);
    }
  });

  it("is seen in a tenant's folder", async () => {
    const folder = join(root, "tenants/isb");
    mkdirSync(folder, { recursive: true });
    swap(folder, 0, "0");
    symlinkSync("..data/secret", join(folder, "secret"));
    const { until } = watching({ ...EVENTS, directories: [join(root, "tenants")] });
    for (let turn = 1; turn <= 3; turn++) {
      const seen = until(() => readFileSync(join(folder, "secret"), "utf8") === `${turn}`);
      swap(folder, turn, `${turn}`);
      await seen;
    }
  });
});

describe("a watched directory", () => {
  it("that is removed and made again is watched again", async () => {
    const mount = join(root, "mount");
    const path = join(mount, "secret");
    mkdirSync(mount);
    writeFileSync(path, "1");
    const { until } = watching({ paths: [path], pollMs: 50 });
    for (const content of ["2", "3"]) {
      const gone = until(() => true);
      rmSync(mount, { recursive: true });
      await gone;
      const back = until(() => true);
      mkdirSync(mount);
      writeFileSync(path, content);
      await back;
    }
    const written = until(() => true);
    writeFileSync(path, "4");
    await written;
  });

  it("may come late", async () => {
    const path = join(root, "later/secret");
    const { until } = watching({ paths: [path], pollMs: 50 });
    const seen = until(() => true);
    mkdirSync(join(root, "later"));
    writeFileSync(path, "1");
    await seen;
  });
});

describe("update", () => {
  it("watches the new paths and no longer the old ones; the first change after it counts", async () => {
    const [a, b] = ["a", "b"].map((name) => join(root, name)) as [string, string];
    for (const path of [a, b]) writeFileSync(path, "1");
    const { watcher, until, reports } = watching({ paths: [a], pollMs: 20 });
    watcher.update({ paths: [b], directories: [] });
    const seen = until((changed) => changed.includes(b));
    writeFileSync(a, "2");
    writeFileSync(b, "2");
    await seen;
    expect(reports.flat()).not.toContain(a);
  });
});

describe("close", () => {
  it("leaves nothing behind: no change is reported any more", async () => {
    const path = join(root, "a");
    writeFileSync(path, "1");
    const closed = watching({ paths: [path], pollMs: 20 });
    const open = watching({ paths: [path], pollMs: 20 });
    closed.watcher.close();
    const seen = open.until(() => readFileSync(path, "utf8") === "2");
    writeFileSync(path, "2");
    await seen;
    expect(closed.reports).toEqual([]);
  });

  it("may come from within a report", async () => {
    const path = join(root, "a");
    writeFileSync(path, "1");
    const { watcher, until, reports } = watching({ paths: [path], pollMs: 20 });
    const seen = until(() => {
      watcher.close();
      return true;
    });
    writeFileSync(path, "2");
    await seen;
    const other = watching({ paths: [path], pollMs: 20 });
    const again = other.until(() => true);
    writeFileSync(path, "3");
    await again;
    expect(reports).toHaveLength(1);
  });
});
