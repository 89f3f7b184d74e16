import { describe, expect, it } from "vitest";
import { createStandardOutput } from "../../src/core/standard-output.ts";

/** A descriptor that takes `room` bytes more, and then fails with `code`. */
function descriptor(room: number, code: string) {
  let taken = "";
  const state = { room, failures: 0, taken: () => taken };
  const write = (_fd: number, bytes: Buffer): number => {
    if (state.room === 0) {
      state.failures++;
      // What is busy is so for a moment.
      if (code === "EAGAIN") state.room = 4;
      throw Object.assign(new Error(code), { code });
    }
    const part = bytes.subarray(0, state.room);
    state.room -= part.length;
    taken += part.toString();
    return part.length;
  };
  return Object.assign(state, { write });
}

describe("log lines to standard output", () => {
  it("are lost while the disk is full, and go on when there is space, each on its own line", () => {
    const disk = descriptor(6, "ENOSPC");
    const output = createStandardOutput(disk.write);
    output.write("first\n");
    output.write("second\n");
    disk.room = 3;
    output.write("third\n");
    disk.room = 100;
    output.write("fourth\n");
    expect(disk.taken()).toBe("first\nthi\nfourth\n");
    expect(disk.failures).toBe(2);
  });

  it("are lost, and nothing else, when the reader went away", () => {
    const pipe = descriptor(0, "EPIPE");
    expect(() => createStandardOutput(pipe.write).write("line\n")).not.toThrow();
    expect(pipe.failures).toBe(1);
  });

  it("wait for a pipe that is full for the moment", () => {
    const pipe = descriptor(0, "EAGAIN");
    createStandardOutput(pipe.write).write("a longer line\n");
    expect(pipe.taken()).toBe("a longer line\n");
  });
});
