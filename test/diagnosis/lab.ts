/** Examines a configuration in this process, over real sockets. */
import { randomBytes } from "node:crypto";
import { systemFiles } from "../../src/config/files.ts";
import { createSecretSource } from "../../src/config/secret-source.ts";
import { type Clock, createSystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { type DiagnosisObserver, diagnose } from "../../src/diagnosis/diagnose.ts";
import { type Finding, subjectName } from "../../src/diagnosis/finding.ts";
import { providers } from "../../src/provider/index.ts";
import { configOf } from "../config/config-fixture.ts";

export interface ExamineOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Where paths of the configuration start. */
  readonly directory?: string;
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly observer?: Partial<DiagnosisObserver>;
}

/** On loopback an answer takes milliseconds, and longer only on a machine that is busy. */
const TIMEOUT_MS = 8_000;

/** For peers that hang, so that they cost a test little. */
export const SHORT_TIMEOUT_MS = 700;

export function examine(text: string, options: ExamineOptions = {}): Promise<readonly Finding[]> {
  const { env = { SECRET: "s3cret" }, directory = "/", timeoutMs = TIMEOUT_MS } = options;
  return diagnose(
    configOf(text, { directory }),
    {
      clock: options.clock ?? createSystemClock(),
      random: Math.random,
      randomBytes,
      secrets: createSecretSource({ env, files: systemFiles, log: silentLogger }),
      providers,
      timeoutMs,
      signal: new AbortController().signal,
    },
    { planned() {}, finished() {}, ...options.observer },
  );
}

/** The finding whose subject has this name; the first word or more of it is enough. */
export function findingOf(findings: readonly Finding[], name: string): Finding {
  const finding = findings.find(({ subject }) => subjectName(subject).startsWith(name));
  if (finding === undefined) throw new Error(`nothing was found of ${name}`);
  return finding;
}

/** `status reason | hint`, for one look. */
export function inWords({ status, reason, hint }: Finding): string {
  return `${status} ${reason}${hint === undefined ? "" : ` | ${hint}`}`;
}

/** One credential of provider oauth2, as a flow mapping without its braces. */
export function oauth2(tokenUrl: URL | string, more = ""): string {
  return `credentials:
  billing: { provider: oauth2, token_url: "${String(tokenUrl)}", client_id: c, client_secret: { env: SECRET }${more} }
`;
}

/** One route without a credential. */
export function upstream(url: URL | string, more = ""): string {
  return `routes:
  - { name: api, path: /api/, upstream: "${String(url)}", credential: none${more} }
`;
}
