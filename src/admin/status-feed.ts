import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import type { StatusDocument, TokenStatus, TrafficSample } from "./status-document.ts";

/**
 * `GET /status/events`: the status as it changes, as server-sent events (WHATWG HTML §9.2). `snapshot` comes first, and
 * again where more than tokens changed: the whole document and ten minutes of samples. `update` has what is small, and of the
 * tokens and samples those that are new to this listener; it comes with every look, so its absence says that nobody is there.
 */
export interface StatusFeed {
  /** Throws OVERLOADED while there are `MAX_LISTENERS`. */
  admit(): void;
  /** Takes a response whose head is written, until its caller is gone. */
  open(response: ServerResponse): void;
  /** Ends all of them. */
  close(): void;
}

export interface StatusFeedDeps {
  readonly clock: Clock;
  /** Asked only while somebody listens. */
  status(): Promise<StatusDocument>;
  samples(afterSeconds: number): readonly TrafficSample[];
}

/** A page more than a person has open, and few enough to cost nothing. */
export const MAX_LISTENERS = 16;
/** Between two looks. */
const INTERVAL_MS = 1_000;
/** Looking takes at most this part of the time, however many tokens there are. */
const SHARE = 1 / 20;
/** But it goes on before a page takes the silence for the end (`status-page/connection.ts`). */
const LONGEST_INTERVAL_MS = 5_000;
/** A listener that takes nothing for so long is given up. */
const PATIENCE_MS = 30_000;
/** After which a browser comes back by itself. */
const RETRY_MS = 2_000;

interface Listener {
  readonly response: ServerResponse;
  /** Of the last look whose changes it was sent; -1: none. */
  seen: number;
  /** Unix seconds of the last sample that it was sent. */
  sampledAt: number;
  /** Since when it has taken nothing of what was written; undefined: it takes everything. */
  stalledAtMs: number | undefined;
}

/** A token as it is sent, and the look at which it became so. */
interface Row {
  readonly json: string;
  readonly changed: number;
}

export function createStatusFeed({ clock, status, samples }: StatusFeedDeps): StatusFeed {
  const listeners = new Set<Listener>();
  let timer: Timer | undefined;
  let looking = false;
  let closed = false;

  let looks = 0;
  let rows = new Map<string, Row>();
  let document: StatusDocument | undefined;
  /** What only a snapshot tells, and the look at which it became so. */
  let frame = "";
  let framed = 0;

  const look = async (): Promise<void> => {
    const seen = await status();
    looks += 1;
    const present = new Map<string, Row>();
    for (const token of seen.tokens) {
      // No name has a slash in it.
      const key = `${token.credential}/${token.tenant ?? ""}`;
      const json = JSON.stringify(lasting(token));
      const known = rows.get(key);
      present.set(key, known?.json === json ? known : { json, changed: looks });
    }
    const { routes, credentials } = seen;
    const presentFrame = JSON.stringify({ routes, credentials });
    let isGone = rows.size > present.size;
    for (const key of rows.keys()) isGone ||= !present.has(key);
    if (presentFrame !== frame || isGone) framed = looks;
    frame = presentFrame;
    rows = present;
    document = seen;
  };

  const tell = (listener: Listener, of: StatusDocument): void => {
    const { response } = listener;
    if (response.writableNeedDrain) {
      listener.stalledAtMs ??= clock.now();
      if (clock.now() - listener.stalledAtMs > PATIENCE_MS) response.destroy();
      return; // What it misses now comes with the first look after it has caught up.
    }
    listener.stalledAtMs = undefined;
    const whole = listener.seen < framed;
    const fresh = samples(whole ? 0 : listener.sampledAt);
    const { tokens: _tokens, routes: _routes, credentials: _credentials, ...rest } = of;
    const tokens: string[] = [];
    for (const { json, changed } of rows.values()) if (whole || changed > listener.seen) tokens.push(json);
    const head = JSON.stringify({ ...rest, samples: fresh }).slice(0, -1);
    const data = `${head},"tokens":[${tokens.join(",")}]${whole ? `,${frame.slice(1, -1)}` : ""}}`;
    response.write(`event: ${whole ? "snapshot" : "update"}\ndata: ${data}\n\n`);
    listener.seen = looks;
    listener.sampledAt = fresh.at(-1)?.at ?? listener.sampledAt;
  };

  const run = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    timer?.cancel();
    const startMs = clock.now();
    let tookMs = 0;
    try {
      await look();
      if (document !== undefined) for (const listener of listeners) tell(listener, document);
      tookMs = clock.now() - startMs;
    } catch {
      // The next look may do better; a listener notices the silence.
    }
    looking = false;
    if (listeners.size > 0 && !closed)
      timer = clock.schedule(
        Math.min(Math.max(INTERVAL_MS, tookMs / SHARE), LONGEST_INTERVAL_MS),
        () => void run(),
      );
  };

  return {
    admit() {
      if (listeners.size < MAX_LISTENERS) return;
      throw new ProxyError(
        "OVERLOADED",
        `${MAX_LISTENERS} pages listen already; /status.json tells the same.`,
        { retryAfterSeconds: 30 },
      );
    },
    open(response) {
      if (closed) {
        response.end();
        return;
      }
      const listener: Listener = { response, seen: -1, sampledAt: 0, stalledAtMs: undefined };
      listeners.add(listener);
      response.on("close", () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        timer?.cancel();
        document = undefined;
        rows = new Map();
      });
      response.write(`retry: ${RETRY_MS}\n\n`);
      if (document === undefined) void run();
      else tell(listener, document); // At most a second old, however often pages come and go.
    },
    close() {
      closed = true;
      timer?.cancel();
      for (const { response } of listeners) response.end();
    },
  };
}

/** What of a token stays true while nothing happens. Whole seconds: two clocks never agree to the millisecond. */
function lasting({
  age_seconds: _age,
  expires_in_seconds: _left,
  ...token
}: TokenStatus): Omit<TokenStatus, "age_seconds" | "expires_in_seconds"> {
  return {
    ...token,
    ...(token.expires_at === undefined ? {} : { expires_at: wholeSecond(token.expires_at) }),
    ...(token.next_attempt_at === undefined ? {} : { next_attempt_at: wholeSecond(token.next_attempt_at) }),
  };
}

function wholeSecond(iso: string): string {
  return new Date(Math.round(Date.parse(iso) / 1_000) * 1_000).toISOString();
}
