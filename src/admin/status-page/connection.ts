import type { StatusDocument, TrafficSample } from "../status-document.ts";

/** The status, or what of it is new: as `src/admin/status-feed.ts` sends it. */
export type Update = Omit<StatusDocument, "routes" | "credentials"> &
  Partial<Pick<StatusDocument, "routes" | "credentials">> & { readonly samples?: readonly TrafficSample[] };

export type LinkState = "live" | "connecting" | "polling" | "disconnected";

export interface ConnectionEvents {
  /** `isWhole`: it has everything, and what is not in it is no more. */
  status(update: Update, isWhole: boolean): void;
  link(state: LinkState): void;
}

interface EventStream {
  readonly readyState: number;
  onerror: (() => void) | null;
  addEventListener(type: string, listener: (event: { readonly data: string }) => void): void;
  close(): void;
}

declare const EventSource: new (url: string) => EventStream;

/**
 * Listens for events; comes back by itself when the stream breaks or falls silent; where the stream is refused (too many
 * listen, something in between does not let it through) asks for the whole every few seconds instead.
 */
export function connect(events: ConnectionEvents): void {
  const silenceMs = 15_000;
  const pollMs = 5_000;
  const pollsBeforeStream = 6;
  let stream: EventStream | undefined;
  let heardAtMs = performance.now();
  let polls = 0;

  const hear = (text: string, isWhole: boolean): void => {
    heardAtMs = performance.now();
    events.status(JSON.parse(text), isWhole);
    events.link("live");
  };

  const open = (): void => {
    heardAtMs = performance.now();
    const opened = new EventSource("/status/events");
    stream = opened;
    opened.addEventListener("snapshot", ({ data }) => hear(data, true));
    opened.addEventListener("update", ({ data }) => hear(data, false));
    opened.onerror = () => {
      if (stream !== opened) return;
      if (opened.readyState !== 2) {
        events.link("disconnected"); // The browser tries again by itself.
        return;
      }
      stream = undefined;
      void poll();
    };
  };

  const poll = async (): Promise<void> => {
    polls += 1;
    let isThere = false;
    try {
      const answer = await fetch("/status.json", {
        cache: "no-store",
        signal: AbortSignal.timeout(silenceMs),
      });
      isThere = answer.ok;
      if (answer.ok) events.status((await answer.json()) as Update, true);
    } catch {
      isThere = false;
    }
    events.link(isThere ? "polling" : "disconnected");
    setTimeout(() => {
      if (!isThere || polls % pollsBeforeStream === 0) open();
      else void poll();
    }, pollMs);
  };

  setInterval(() => {
    if (stream === undefined || performance.now() - heardAtMs < silenceMs) return;
    events.link("disconnected");
    stream.close();
    open();
  }, 1_000);
  open();
}
