import { expect, it } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { createTokenEndpoint } from "../../src/token/token-endpoint.ts";
import { startTokenEndpoint } from "../support/token-endpoint.ts";

const BODY = '{"access_token":"t","token_type":"Bearer","expires_in":60}';
const ANSWER = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

it("an answer that came while the process stood still counts, though the deadline is over by then", async () => {
  let deadline: (() => void) | undefined;
  const clock = {
    ...createSystemClock(),
    schedule(_delayMs: number, task: () => void) {
      deadline = task;
      return { cancel() {} };
    },
  };
  const server = await startTokenEndpoint();
  server.answer({
    act(_request, _response, socket) {
      socket.write(ANSWER);
      // As after a stop: the timer is due when the loop goes on, and timers come before sockets.
      setTimeout(() => deadline?.(), 1);
      const endMs = performance.now() + 5;
      while (performance.now() < endMs);
    },
  });
  const request = { method: "POST", url: server.url, headers: [], body: "" } as const;
  const connection = { tls: undefined, httpProxy: undefined };
  const answer = await createTokenEndpoint(clock).exchange(request, connection, new AbortController().signal);
  expect(answer).toMatchObject({ status: 200, body: BODY });
  await server.close();
});
