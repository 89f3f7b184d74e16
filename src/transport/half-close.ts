import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock, Timer } from "../core/clock.ts";

/** The first look at a silent answer; each further one comes after twice the time. */
const FIRST_LOOK_MS = 100;

/** Where no look can tell anything, an answer may pause for so long beyond the first. */
const PAUSE_MS = 600;

/**
 * A caller that shut its sending side may still want its answer (RFC 9112 §9.6), and one that left altogether sends
 * the same FIN. Only the reset that follows a byte sent tells which it is. So where nothing moves, a byte without a
 * meaning is sent: a caller that left answers with a reset, which ends the exchange; any other stays, however long its
 * answer takes. Where there is no such byte, the caller is given up.
 *
 * @param inTurn the answer whose turn it is on the connection; undefined: none is owed, and there is nothing to watch
 * @returns cancels
 */
export function watchHalfClosed(
  socket: Socket,
  clock: Clock,
  inTurn: () => ServerResponse | undefined,
): Timer {
  let timer: Timer;
  const look = (sentBytes: number, waitMs: number): void => {
    timer = clock.schedule(waitMs, () => {
      const response = inTurn();
      if (response === undefined) return;
      const isMoving = socket.bytesWritten !== sentBytes || socket.writableLength > 0;
      if (isMoving) look(socket.bytesWritten, FIRST_LOOK_MS);
      else if (sendNothing(response, socket)) look(socket.bytesWritten, waitMs * 2);
      else if (waitMs < PAUSE_MS) look(sentBytes, PAUSE_MS);
      else socket.destroy();
    });
  };
  look(socket.bytesWritten, FIRST_LOOK_MS);
  return { cancel: () => timer.cancel() };
}

/** Sends what changes nothing. False: nothing of the kind can be sent at this place. */
function sendNothing(response: ServerResponse, socket: Socket): boolean {
  if (!response.headersSent) {
    // Any HTTP/1.1 client takes interim answers (RFC 9110 §15.2). One of HTTP/1.0 has the upstream's time limits.
    if (response.req.httpVersionMinor === 1) response.writeProcessing();
    return true;
  }
  if (response.writableEnded) return true;
  // Between two chunks: a leading zero of the next one's size (RFC 9112 §7.1).
  return response.chunkedEncoding && socket.write("0");
}
