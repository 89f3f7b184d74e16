import type { Socket } from "node:net";

/**
 * Where a request leaves its trailer fields for its connection, flat name, value, …: put there as its body ends and
 * taken in the same turn. Every request with a body puts its own, if only none, so that no other's can be taken.
 */
export interface TrailerSlot {
  put(fields: readonly string[]): void;
  take(): readonly string[];
}

const NONE: readonly string[] = [];

export function createTrailerSlot(): TrailerSlot {
  let left = NONE;
  return {
    put(fields) {
      left = fields;
    },
    take() {
      const fields = left;
      left = NONE;
      return fields;
    },
  };
}

/** How undici ends a body in chunks (RFC 9112 §7.1); directly before, it tells the request's handler (`onRequestSent`). */
const LAST_CHUNK = "\r\n0\r\n\r\n";

/** Sends trailer fields behind a body in chunks, which undici cannot: it ends the section for them where it begins. */
export function sendTrailers(socket: Socket, slot: TrailerSlot): void {
  const write = socket.write.bind(socket);
  socket.write = ((...args: Parameters<typeof write>) => {
    if (args[0] !== LAST_CHUNK) return write(...args);
    const fields = slot.take();
    if (fields.length === 0) return write(...args);
    let lines = "";
    for (let index = 0; index < fields.length; index += 2)
      lines += `${fields[index]}: ${fields[index + 1]}\r\n`;
    return write(`\r\n0\r\n${lines}\r\n`, "latin1");
  }) as typeof socket.write;
}
