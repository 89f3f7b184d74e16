import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { parseSession } from "../../src/session/record.ts";
import { ask, type FleetStore, openSession, outcome, startFleet } from "../../test/e2e/support/fleet.ts";
import type { Serving } from "../../test/e2e/support/serve.ts";
import { REFRESH_STEPS, type RefreshStep } from "../../test/support/strict-provider.ts";
import { openOwnVault } from "./own-vault.ts";

/**
 * When a process is killed: at a step that the server sees, within some milliseconds after it, or after the request came
 * in; or once the caller has its answer.
 */
export type Moment = RefreshStep | "after connected" | "after answered" | "at random" | "served";

export const MOMENTS: readonly Moment[] = [
  "at random",
  "connected",
  "after connected",
  ...REFRESH_STEPS.slice(1),
  "after answered",
  "served",
  "at random",
];

/** Where the moment is drawn: from what on, and how long. A cold process's refresh takes some 60 ms. */
const DRAWN: Readonly<
  Partial<Record<Moment, { readonly from: RefreshStep | "request"; readonly ms: number }>>
> = {
  "at random": { from: "request", ms: 60 },
  "after connected": { from: "connected", ms: 6 },
  "after answered": { from: "answered", ms: 10 },
};

/** How far the refresh had come, by the store's record and by what the server had sent, when its process died. */
export type Remains =
  /** No intent of that process in the record, and the old refresh token: nothing was sent. */
  | "untouched"
  /** An intent, and the answer had not left the server whole. */
  | "unanswered"
  /** An intent, and the answer lay in the socket: it was not read, or not stored yet. */
  | "unread"
  /** The new refresh token is in the record. */
  | "stored";

export interface Kill {
  readonly moment: Moment;
  readonly remains: Remains;
  lost: boolean;
}

export interface LaneOptions {
  readonly store: FleetStore;
  readonly kills: number;
  /** Which of `MOMENTS` comes first. */
  readonly firstMoment: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The environment of the process that looks at what is left, if not that of the others: one whose clock is ahead. */
  readonly laterEnv?: Readonly<Record<string, string>>;
  /** Has the store forget the locks, as it does when their time is over. Default: that time is waited for. */
  readonly endLocks?: () => Promise<void>;
}

export interface LaneResult {
  readonly kills: readonly Kill[];
  readonly refreshes: number;
  readonly resent: number;
  /** Sessions that were neither there nor properly gone in the end, as `503 …`. */
  readonly odd: readonly string[];
}

interface Subject {
  id: string;
  /** The refresh token of the record, hashed. */
  fingerprint: string;
  /** Whose intent the record has. */
  intent: string | undefined;
  /** Since it was last known to be alive. */
  kills: Kill[];
  killedAtMs: number;
}

/** An intent of a process that died counts for so long; nobody asks for the session before that is over. */
const SETTLED_MS = 16_500;
/** A server's access tokens here: each request finds its own expired. */
const LIFETIME_SECONDS = 1;

/** Kills one process after another amid a refresh, on one store. */
export async function runLane(options: LaneOptions): Promise<LaneResult> {
  await using fleet = await startFleet(options.store);
  const { provider, upstream } = fleet;
  const vault = await openOwnVault(fleet, options.store);
  const done: Kill[] = [];
  const odd: string[] = [];
  provider.expiresInSeconds = LIFETIME_SECONDS;

  const first = await fleet.start();
  // As many as can be killed while the first one settles.
  const subjects: Subject[] = [];
  for (let count = 0; count < Math.min(options.kills, 24); count += 1) subjects.push(await signedIn(first));
  await first.stop();
  await delay(LIFETIME_SECONDS * 1_000);

  async function signedIn(member: Serving): Promise<Subject> {
    const id = await openSession(member);
    return { id, ...(await recordOf(id)), kills: [], killedAtMs: Number.NEGATIVE_INFINITY };
  }

  async function recordOf(id: string): Promise<{ fingerprint: string; intent: string | undefined }> {
    const opened = await vault.read("session", id);
    const token = parseSession(opened?.content)?.tokens.get("user");
    if (token?.refreshToken === undefined) throw new Error("the record of a session is not there");
    const fingerprint = token.refreshToken.fingerprint();
    return { fingerprint, intent: token.intent?.fingerprint === fingerprint ? token.intent.id : undefined };
  }

  /** Sends one request and kills the process on the way. */
  async function killAt(moment: Moment, subject: Subject, member: Serving): Promise<void> {
    let sent = false;
    let answered = false;
    let struck = false;
    const strike = (): void => {
      struck = true;
      member.signal("SIGKILL");
    };
    const drawn = DRAWN[moment];
    const strikeSoon = (): void => void setTimeout(strike, options.random() * (drawn?.ms ?? 0));
    provider.atStep = (step) => {
      if (struck) return;
      if (step === "asked") sent = true;
      if (step === "answered") answered = true;
      if (step === moment) strike();
      if (step === drawn?.from) strikeSoon();
    };
    const used = upstream.requests.length;
    const reply = ask(member, subject.id).then(outcome, () => undefined);
    if (drawn?.from === "request") strikeSoon();
    const said = await reply;
    if (!struck) strike();
    await member.exited();
    // What was on its way into the store arrives there.
    await delay(20);
    provider.atStep = () => {};
    if (said?.startsWith("401")) return lose(subject);
    if (said !== undefined && said !== "200") odd.push(`${moment}: ${said}`);
    const before = { ...subject };
    const { fingerprint, intent } = Object.assign(subject, await recordOf(subject.id));
    if (sent || fingerprint !== before.fingerprint || upstream.requests.length > used) survived(subject);
    subject.killedAtMs = performance.now();
    const remains = remainsOf(before.fingerprint !== fingerprint, before.intent !== intent, answered);
    const kill: Kill = { moment, remains, lost: false };
    subject.kills.push(kill);
    done.push(kill);
  }

  /** It did something, so what came before did no harm. */
  function survived(subject: Subject): void {
    subject.kills = [];
  }

  /** The kill that left an intent did it; where there is none, the last one, whatever that was. */
  function lose(subject: Subject): void {
    const guilty =
      subject.kills.find(({ remains }) => remains === "unanswered" || remains === "unread") ??
      subject.kills.at(-1);
    if (guilty === undefined) odd.push("a session was lost without a kill");
    else guilty.lost = true;
    subject.kills = [];
    subject.id = "";
  }

  while (done.length < options.kills) {
    const subject = subjects.shift();
    if (subject === undefined) throw new Error("there are no sessions");
    subjects.push(subject);
    const member = await fleet.start();
    if (subject.id === "") {
      Object.assign(subject, await signedIn(member));
      await delay(LIFETIME_SECONDS * 1_000);
    }
    await delay(Math.max(0, subject.killedAtMs + SETTLED_MS - performance.now()));
    const moment = MOMENTS[(options.firstMoment + done.length) % MOMENTS.length] ?? "at random";
    await killAt(moment, subject, member);
    await member.stop();
  }

  if (options.endLocks === undefined) await delay(SETTLED_MS);
  else await options.endLocks();
  const last = await fleet.start(options.laterEnv === undefined ? {} : { env: options.laterEnv });
  for (const subject of subjects) {
    if (subject.id === "") continue;
    const said = outcome(await ask(last, subject.id));
    if (said.startsWith("401")) lose(subject);
    else if (said !== "200") odd.push(`in the end: ${said}`);
  }
  await vault.close();
  return { kills: done, refreshes: provider.refreshes(), resent: provider.resent(), odd };
}

function remainsOf(isStored: boolean, isIntended: boolean, answered: boolean): Remains {
  if (isStored) return "stored";
  if (!isIntended) return "untouched";
  return answered ? "unread" : "unanswered";
}

/** Numbers that are the same for the same seed. */
export function seededRandom(seed: string): () => number {
  let count = 0;
  return () => {
    count += 1;
    return createHash("sha256").update(`${seed} ${count}`).digest().readUInt32BE() / 2 ** 32;
  };
}
