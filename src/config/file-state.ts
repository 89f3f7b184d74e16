import { createHash } from "node:crypto";
import { type BigIntStats, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { reasonOf } from "./files.ts";

/** File times advance in steps of some milliseconds; within one, two writes can look like one. */
const CLOCK_STEP_MS = 20;
/** A listing younger than this could miss an entry that was added within the same step of the file clock. */
const SETTLED_MS = 1_000;

export interface FileStates {
  /** Equal as long as nothing at `path`, through symbolic links, has been written or exchanged. */
  ofFile(path: string): string;
  /**
   * The same for a directory of folders and the files in them. Yields after every file, for the caller to pause, and
   * returns the state and the folders. The states of the files are added to `files`, by path.
   */
  ofFolders(
    directory: string,
    files: Map<string, string>,
  ): Generator<void, { readonly state: string; readonly folders: readonly string[] }>;
}

interface Listing {
  readonly state: string;
  readonly names: readonly string[];
}

/** `wall` is Unix time in milliseconds, as files have it. */
export function createFileStates(wall: () => number): FileStates {
  const listings = new Map<string, Listing>();

  function ofFile(path: string): string {
    const stats = statOf(path);
    return typeof stats === "string" ? stats : describe(stats);
  }

  function describe(stats: BigIntStats): string {
    const state = `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
    // Too young to be told from a write that may follow at once: a later look sees a change, if only of this mark.
    return Math.abs(wall() - Number(stats.ctimeMs)) < CLOCK_STEP_MS ? `${state}:young` : state;
  }

  /** Names in a directory, read again only when the directory has changed. */
  function list(path: string): Listing {
    const stats = statOf(path);
    if (typeof stats === "string" || !stats.isDirectory()) return { state: "absent", names: [] };
    const state = describe(stats);
    const known = listings.get(path);
    if (known?.state === state) return known;
    const listing = { state, names: namesIn(path) };
    if (wall() - Number(stats.ctimeMs) > SETTLED_MS) listings.set(path, listing);
    else listings.delete(path);
    return listing;
  }

  return {
    ofFile,
    *ofFolders(directory, files) {
      const hash = createHash("sha256");
      const folders: string[] = [];
      const { names, state } = list(directory);
      hash.update(state);
      for (const name of names) {
        const folder = join(directory, name);
        const inside = list(folder);
        yield;
        if (inside.state === "absent") continue;
        folders.push(folder);
        hash.update(`\n${name}/${inside.state}`);
        for (const file of inside.names) {
          const path = join(folder, file);
          const fileState = ofFile(path);
          files.set(path, fileState);
          hash.update(`\n${file}=${fileState}`);
          yield;
        }
      }
      return { state: hash.digest("base64url"), folders };
    },
  };
}

/** The reason as text where there is nothing to be seen. */
function statOf(path: string): BigIntStats | string {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? "absent";
  } catch (error) {
    return reasonOf(error);
  }
}

/** Without hidden entries, such as Kubernetes' own `..data`: what they stand for is seen through the links to it. */
function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path).filter((name) => !name.startsWith("."));
  } catch {
    return [];
  }
}
