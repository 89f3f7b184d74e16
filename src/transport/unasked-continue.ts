import type { Socket } from "node:net";

const CARRIAGE_RETURN = 0x0d;
const ONE = 0x31;
/** `HTTP/1.1 1`: where the first digit of a status stands, and what an interim answer begins with. */
const STATUS_AT = 9;
const INTERIM_STARTS = ["HTTP/1.1 1", "HTTP/1.0 1"];
const MAX_INTERIM_BYTES = 16_384;

/**
 * Takes `100 Continue` out of what undici reads. A server may send it unasked and a client has to bear it (RFC 9110
 * §15.2), but undici, which never asks, treats it as a fault and cuts the connection.
 *
 * Looks at the start of an answer only. That one is due shows in what undici writes: every piece of a request but
 * its head is a buffer or begins with a line break.
 */
export function dropUnaskedContinue(socket: Socket): void {
  const read = socket.read.bind(socket);
  const write = socket.write.bind(socket);
  let answerDue = false;
  let held: Buffer | undefined;

  socket.write = ((...args: Parameters<typeof write>) => {
    const [piece] = args;
    if (typeof piece === "string" && piece.charCodeAt(0) !== CARRIAGE_RETURN) answerDue = true;
    return write(...args);
  }) as typeof socket.write;

  socket.read = (size?: number): Buffer | null => {
    const chunk: Buffer | null = read(size);
    if (!answerDue || chunk === null) return chunk;
    const bytes = held === undefined ? chunk : Buffer.concat([held, chunk]);
    const split = withoutContinue(bytes);
    answerDue = split.pending !== undefined;
    held = split.pending;
    // Read on: a socket that reads nothing ahead waits to be asked, and whoever asked would take null for an end.
    return split.passed.length === 0 ? socket.read(size) : split.passed;
  };
}

interface Split {
  readonly passed: Buffer;
  /** What may be the beginning of an interim answer; undefined: the final answer has begun. */
  readonly pending: Buffer | undefined;
}

function withoutContinue(bytes: Buffer): Split {
  const passed: Buffer[] = [];
  let rest = bytes;
  while (mayBeInterim(rest)) {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) {
      if (rest.length > MAX_INTERIM_BYTES) break;
      return { passed: Buffer.concat(passed), pending: rest };
    }
    const status = rest.toString("latin1", STATUS_AT, STATUS_AT + 3);
    if (status === "101") break;
    if (status !== "100") passed.push(rest.subarray(0, end + 4));
    rest = rest.subarray(end + 4);
  }
  return { passed: passed.length === 0 ? rest : Buffer.concat([...passed, rest]), pending: undefined };
}

function mayBeInterim(bytes: Buffer): boolean {
  if (bytes.length > STATUS_AT && bytes[STATUS_AT] !== ONE) return false;
  const start = bytes.toString("latin1", 0, STATUS_AT + 1);
  return INTERIM_STARTS.some((interim) => interim.startsWith(start));
}
