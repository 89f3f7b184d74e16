import { type FSWatcher, statSync, watch } from "node:fs";

export interface DirectoryWatches {
  /** Watches exactly these directories; those beyond the limit, and those that cannot be watched, are left out. */
  set(directories: Iterable<string>): void;
  close(): void;
}

interface Watched {
  readonly watcher: FSWatcher;
  /** Tells a directory from another that was made in its place, which an old watch does not follow. */
  readonly inode: bigint;
}

/** One watch for events per directory, up to `limit`. `onEvent` may be called far more often than anything changes. */
export function createDirectoryWatches(limit: number, onEvent: () => void): DirectoryWatches {
  const watches = new Map<string, Watched>();

  function drop(directory: string): void {
    watches.get(directory)?.watcher.close();
    watches.delete(directory);
  }

  function add(directory: string, inode: bigint): void {
    let watcher: FSWatcher;
    try {
      watcher = watch(directory, { persistent: false });
    } catch {
      return; // No watches left for this user, or the directory is gone: polling sees what events do not tell.
    }
    watcher.on("change", onEvent);
    watcher.on("error", () => {
      if (watches.get(directory)?.watcher === watcher) drop(directory);
    });
    watches.set(directory, { watcher, inode });
  }

  return {
    set(directories) {
      const wanted = new Map<string, bigint>();
      for (const directory of directories) {
        if (wanted.size >= limit) break;
        const inode = inodeOf(directory);
        if (inode !== undefined) wanted.set(directory, inode);
      }
      for (const [directory, { inode }] of watches) if (wanted.get(directory) !== inode) drop(directory);
      for (const [directory, inode] of wanted) if (!watches.has(directory)) add(directory, inode);
    },
    close() {
      for (const directory of watches.keys()) drop(directory);
    },
  };
}

function inodeOf(directory: string): bigint | undefined {
  try {
    return statSync(directory, { bigint: true, throwIfNoEntry: false })?.ino;
  } catch {
    return undefined;
  }
}
