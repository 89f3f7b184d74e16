import type { Dispatcher } from "undici";
import type { Clock } from "../core/clock.ts";
import type { MemoryValve } from "../core/memory-valve.ts";
import type { Injection } from "../token/token-source.ts";
import type { UpstreamDispatch } from "../transport/upstream-pool.ts";
import type { ExchangeParts } from "./exchange-parts.ts";
import { buildRequestHeaders } from "./headers.ts";
import { type BodyObserver, RequestBody } from "./request-body.ts";
import { TokenToSend } from "./token-to-send.ts";

export interface UpstreamRequestDeps {
  readonly clock: Clock;
  readonly memory: MemoryValve;
}

/** One exchange's request as `dispatch` takes it, first and again. */
export class UpstreamRequest implements UpstreamDispatch {
  readonly path: string;
  readonly method: Dispatcher.HttpMethod;
  readonly upgrade: string | null;
  readonly #parts: ExchangeParts;
  readonly #deps: UpstreamRequestDeps;
  readonly #observer: BodyObserver;
  readonly #token: TokenToSend;
  /** As the caller sends it. */
  #stream: RequestBody | null = null;
  /** As it was kept for a replay. */
  #replayed: Buffer | undefined;

  constructor(parts: ExchangeParts, deps: UpstreamRequestDeps, observer: BodyObserver) {
    const { head, target, upgrade, source, entry } = parts;
    this.#deps = deps;
    this.#observer = observer;
    this.path = target;
    this.method = head.method as Dispatcher.HttpMethod;
    this.upgrade = upgrade ?? null;
    this.#parts = parts;
    this.#token = new TokenToSend(source, deps.clock, entry.route.name);
  }

  get headers(): string[] {
    const { head, entry, requestId } = this.#parts;
    return buildRequestHeaders(head, entry, requestId, this.#token.write());
  }

  get body(): RequestBody | Buffer | null {
    return this.#replayed ?? this.#stream;
  }

  get expectContinue(): boolean {
    return this.#parts.head.expectsContinue && this.#replayed === undefined;
  }

  bodyBegins(then: (error?: Error) => void): void {
    if (this.#stream === null || this.#replayed !== undefined) then();
    else this.#stream.begins(then, this.#observer);
  }

  /** What was sent last, or is about to be. */
  get injection(): Injection | undefined {
    return this.#token.injection;
  }

  /** To be dispatched with this, which was given at `nowMs`; as a replay with its body as it was kept. */
  prepare(injection: Injection | undefined, nowMs: number, replayed?: Buffer): void {
    this.#token.give(injection, nowMs);
    if (this.#parts.head.hasBody) this.#stream ??= openBody(this.#parts, this.#deps);
    if (replayed !== undefined) this.#replayed = replayed;
  }

  /** To be dispatched once more as it was. */
  prepareAgain(): void {
    this.#token.giveAgain();
  }

  /** `dispatch` has returned: what is not sent yet waits. */
  waits(): void {
    this.#token.waits();
  }

  /** To be asked directly before a byte is sent: see `TokenToSend.mustWait`. undefined: it goes out now, body and all. */
  mustWait(): Promise<Injection> | undefined {
    return this.#token.mustWait();
  }

  /** The whole body, where it came and was kept; undefined also where there is none. */
  keptBody(): Buffer | undefined {
    return this.#stream?.kept();
  }

  /** It is not to be sent any more. */
  abandon(): void {
    this.#token.abandon();
  }

  /** Nothing of it is wanted any more. */
  destroy(): void {
    this.#token.abandon();
    this.#stream?.destroy();
  }
}

/** Whoever sends it reads nothing of it before `onRequestStart`, which may say that it is too soon. */
function openBody(parts: ExchangeParts, { clock, memory }: UpstreamRequestDeps): RequestBody {
  const { request, response, head, entry, bodyIdleMs } = parts;
  const { replayOn401, maxReplayBodyBytes } = entry.route;
  const isKept = replayOn401 === "buffered" && (head.contentLength ?? 0) <= maxReplayBodyBytes;
  return new RequestBody(request, {
    clock,
    memory,
    idleMs: bodyIdleMs,
    keepBytes: isKept ? maxReplayBodyBytes : 0,
    continueOn: head.expectsContinue ? response : undefined,
  });
}
