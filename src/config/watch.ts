import { dirname } from "node:path";
import type { Clock, Timer } from "../core/clock.ts";
import { createDirectoryWatches } from "./directory-watches.ts";
import { createFileStates } from "./file-state.ts";
import type { WatchedPaths } from "./watched-paths.ts";

export { type WatchedPaths, watchedPaths } from "./watched-paths.ts";

export interface WatchOptions extends WatchedPaths {
  readonly clock: Clock;
  /** Called with the members of `paths` and `directories` that changed. Must not throw. */
  readonly onChange: (changed: readonly string[]) => void;
  /** How long events must have been quiet before files are looked at, so that a change is seen whole. Default 100 ms. */
  readonly debounceMs?: number;
  /** Time between looks without any event. Default 2 s; longer where looking itself takes long. */
  readonly pollMs?: number;
  /** Directories watched for events at most; the others are polled. Default 512. */
  readonly maxWatchers?: number;
}

export interface Watcher {
  /** Watches other paths from now on; what both have in common is still compared with what was seen last. */
  update(watched: WatchedPaths): void;
  /** Stops for good and leaves neither timers nor watches behind. */
  close(): void;
}

const DEBOUNCE_MS = 100;
const POLL_MS = 2_000;
/** A user has some thousand watches, shared by all processes; a sidecar must not take them all. */
const MAX_WATCHERS = 512;
/** Events that never stop (a log in the same directory) put a look off this often only. */
const MAX_DEBOUNCES = 10;
/** Files looked at without a pause: about a millisecond. */
const SLICE = 250;
/** Polling takes at most a sixteenth of the time, looking after events at most a fifth. */
const POLL_SHARE = 16;
const EVENT_SHARE = 5;

interface Seen {
  /** By path or directory. */
  readonly states: Map<string, string>;
  /** Where events tell of changes. */
  readonly directories: Set<string>;
}

/**
 * Tells when files change, by their state (`stat` through symbolic links): an event only says when to look. So the swap
 * of Kubernetes' `..data` link, an editor's rename and a plain write are all the same, and a mount without events
 * (subPath, network file systems) is seen by polling. Events are had of the directories that hold the files, since a
 * watch on a file follows the old file when another takes its place.
 */
export function watchFiles(options: WatchOptions): Watcher {
  const { clock, onChange, debounceMs = DEBOUNCE_MS, pollMs = POLL_MS, maxWatchers = MAX_WATCHERS } = options;
  const fileStates = createFileStates(clock.wall);
  const watches = createDirectoryWatches(maxWatchers, onEvent);
  let watched: WatchedPaths = options;
  let states = new Map<string, string>();
  let timer: Timer | undefined;
  let pause: NodeJS.Immediate | undefined;
  let debounces = 0;
  let looking = false;
  let lookAgain = false;
  let quietMs = debounceMs;
  let closed = false;

  function* observe({ paths, directories }: WatchedPaths, seen: Seen): Generator<void, void> {
    const files = new Map<string, string>();
    for (const directory of directories) {
      seen.directories.add(directory);
      const { state, folders } = yield* fileStates.ofFolders(directory, files);
      seen.states.set(directory, state);
      for (const folder of folders) seen.directories.add(folder);
    }
    for (const path of paths) {
      // Secrets of a tenants' directory have been looked at with their folder.
      seen.states.set(path, files.get(path) ?? fileStates.ofFile(path));
      seen.directories.add(dirname(path));
      yield;
    }
  }

  /** What is watched from now on has to be known before this returns, or the first change would pass for the start. */
  function begin(next: WatchedPaths): void {
    const unseen: WatchedPaths = {
      paths: next.paths.filter((path) => !states.has(path)),
      directories: next.directories.filter((directory) => !states.has(directory)),
    };
    const seen: Seen = { states: new Map(), directories: new Set() };
    for (const _ of observe(unseen, seen));
    const kept = new Set([...next.paths, ...next.directories]);
    states = new Map([...states, ...seen.states].filter(([path]) => kept.has(path)));
    watched = next;
    // A look at everything, soon: it sets the watches, and sees what changed while a look was broken off.
    stopWaiting();
    pause = setImmediate(look);
    looking = true;
  }

  function schedule(delayMs: number): void {
    timer?.cancel();
    timer = clock.schedule(delayMs, look);
  }

  function onEvent(): void {
    if (closed) return;
    if (looking) lookAgain = true;
    else if (debounces++ < MAX_DEBOUNCES) schedule(quietMs);
  }

  function stopWaiting(): void {
    timer?.cancel();
    if (pause !== undefined) clearImmediate(pause);
  }

  function look(): void {
    stopWaiting();
    looking = true;
    lookAgain = false;
    debounces = 0;
    const seen: Seen = { states: new Map(), directories: new Set() };
    const steps = observe(watched, seen);
    let busyMs = 0;
    function slice(): void {
      const startedAtMs = clock.now();
      for (let count = 0; count < SLICE; count++) {
        if (steps.next().done !== true) continue;
        finish(seen, busyMs + clock.now() - startedAtMs);
        return;
      }
      busyMs += clock.now() - startedAtMs;
      pause = setImmediate(slice);
    }
    slice();
  }

  function finish(seen: Seen, busyMs: number): void {
    looking = false;
    watches.set(seen.directories);
    const changed = [...seen.states]
      .filter(([path, state]) => states.get(path) !== state)
      .map(([path]) => path);
    states = seen.states;
    quietMs = Math.max(debounceMs, busyMs * EVENT_SHARE);
    schedule(lookAgain ? quietMs : Math.max(pollMs, busyMs * POLL_SHARE));
    if (changed.length > 0) onChange(changed);
  }

  begin(options);
  return {
    update(next) {
      if (!closed) begin(next);
    },
    close() {
      closed = true;
      stopWaiting();
      watches.close();
    },
  };
}
