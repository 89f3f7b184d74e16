import { existsSync, writeFileSync } from "node:fs";

const LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/** Debian's libfaketime; undefined: it is not there, and the tests that need it are left out. */
export const fakeTimeLibrary = [LIBRARY, LIBRARY.replace("x86_64", "aarch64")].find((path) =>
  existsSync(path),
);

/** The wall clock of processes, turned from outside. */
export interface FakeTime {
  /** For the processes. */
  readonly env: Readonly<Record<string, string>>;
  set(aheadSeconds: number): void;
}

/** `file` is made, and read by the processes again and again. */
export function createFakeTime(file: string): FakeTime {
  const set = (aheadSeconds: number): void => writeFileSync(file, `+${aheadSeconds}s\n`);
  set(0);
  return {
    env: {
      LD_PRELOAD: fakeTimeLibrary ?? "",
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      DONT_FAKE_MONOTONIC: "1",
    },
    set,
  };
}
