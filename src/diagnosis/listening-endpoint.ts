import type { Clock } from "../core/clock.ts";
import { presentable } from "../token/redaction.ts";
import { createTokenEndpoint, EXCHANGE_DEADLINE_MS, type TokenEndpoint } from "../token/token-endpoint.ts";
import { transient } from "../token/token-outcome.ts";
import { type ClockSample, serverTimeMs } from "./clock-skew.ts";
import type { AnswerFacts } from "./token-fault.ts";

/** The token endpoint that requests use, and somebody who looks on. */
export interface ListeningEndpoint extends TokenEndpoint {
  /** Of the last answer; undefined: there was none. */
  answer(): AnswerFacts | undefined;
}

export interface ListeningEndpointDeps {
  readonly clock: Clock;
  /** Shorter than the exchange's own deadline, or without effect. */
  readonly timeoutMs: number;
  heardTime(sample: ClockSample): void;
  /** What must not come back out of an answer, see `sensitiveForms`; asked when there is one. */
  sensitive(): readonly string[];
}

/** One for each credential and tenant. What is noted of an answer is its head; of its body only whether it is a page. */
export function createListeningEndpoint({
  clock,
  timeoutMs,
  heardTime,
  sensitive,
}: ListeningEndpointDeps): ListeningEndpoint {
  const endpoint = createTokenEndpoint(clock);
  let last: AnswerFacts | undefined;
  return {
    answer: () => last,
    async exchange(request, connection, signal, beforeSend) {
      last = undefined;
      const impatience = new AbortController();
      const timer =
        timeoutMs < EXCHANGE_DEADLINE_MS ? clock.schedule(timeoutMs, () => impatience.abort()) : undefined;
      const sentAtWallMs = clock.wall();
      const answer = await endpoint.exchange(
        request,
        connection,
        AbortSignal.any([signal, impatience.signal]),
        beforeSend,
      );
      timer?.cancel();
      if ("kind" in answer) {
        return impatience.signal.aborted
          ? transient("timeout", `did not answer within ${timeoutMs / 1_000} s`, "ETIMEDOUT")
          : answer;
      }
      const { status, headers, body = "" } = answer;
      last = {
        status,
        isHtml: /html/i.test(headers["content-type"] ?? "") || /^\s*<(?:!doctype|html|head|body)/i.test(body),
        location: location(presentable(headers["location"], sensitive()), request.url),
      };
      const serverMs = serverTimeMs(headers["date"], headers["age"]);
      if (serverMs !== undefined) {
        heardTime({ host: request.url.host, serverMs, sentAtWallMs, receivedAtWallMs: clock.wall() });
      }
      return answer;
    },
  };
}

/** Where that may be shown: no user information, and only what an ordinary address has in its path. */
function location(text: string | undefined, base: URL): URL | undefined {
  const url = text === undefined ? null : URL.parse(text, base);
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  return url.username === "" && url.password === "" && /^[\w./~-]*$/.test(url.pathname) ? url : undefined;
}
