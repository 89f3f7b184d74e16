import { Secret } from "../core/secret.ts";

/**
 * What is kept of one visitor: the shape of a session record and its parsing. A record is opened only where its seal is
 * good, yet an older or newer Pillion may have written it: what does not fit is no session.
 */
export interface SessionRecord {
  /** Unix milliseconds. */
  readonly createdAtMs: number;
  readonly usedAtMs: number;
  /** By credential. */
  readonly tokens: ReadonlyMap<string, VisitorToken>;
}

/** A visitor's token for one credential. */
export interface VisitorToken {
  readonly grant: "user" | "anonymous";
  /** `visitorIdentity` of the credential it was had with: for another client or server it is none. */
  readonly identity: string;
  readonly accessToken: Secret;
  readonly refreshToken: Secret | undefined;
  /** What was granted; undefined: what was asked for (RFC 6749 §5.1). */
  readonly scope: string | undefined;
  /** Unix milliseconds when it was asked for: the lifetime counts from there. */
  readonly sentAtMs: number;
  readonly lifetimeMs: number;
  /** Unix milliseconds of the login, of the minting for a visitor who is not signed in. */
  readonly signedInAtMs: number;
  readonly intent: RefreshIntent | undefined;
}

/**
 * A refresh token is about to be sent, or was and no answer is known. Servers that rotate take a token that comes twice
 * for a stolen one (RFC 9700 §4.14.2), so nobody but the process that wrote this may send it again.
 */
export interface RefreshIntent {
  /** Random: whose intent it is. */
  readonly id: string;
  /** Of the refresh token. */
  readonly fingerprint: string;
  /** Unix milliseconds. */
  readonly atMs: number;
}

const FORMAT = 1;

/** undefined: not a session. One token that does not fit costs that token alone. */
export function parseSession(content: unknown): SessionRecord | undefined {
  if (!isObject(content) || content["v"] !== FORMAT) return undefined;
  const { created, used, tokens } = content;
  if (!isTime(created) || !isTime(used) || !isObject(tokens)) return undefined;
  const parsed = new Map<string, VisitorToken>();
  for (const [credential, value] of Object.entries(tokens)) {
    const token = parseToken(value);
    if (token !== undefined) parsed.set(credential, token);
  }
  return { createdAtMs: created, usedAtMs: used, tokens: parsed };
}

/** For the vault, which seals it. */
export function sessionContent({ createdAtMs, usedAtMs, tokens }: SessionRecord): unknown {
  const entries = [...tokens].map(([credential, token]) => [credential, tokenContent(token)] as const);
  return { v: FORMAT, created: createdAtMs, used: usedAtMs, tokens: Object.fromEntries(entries) };
}

function parseToken(value: unknown): VisitorToken | undefined {
  if (!isObject(value)) return undefined;
  const { grant, identity, access, refresh, scope, sent, lifetime, since, intent } = value;
  if (grant !== "user" && grant !== "anonymous") return undefined;
  if (!isText(identity) || !isText(access) || !isTime(sent) || !isTime(lifetime) || !isTime(since)) {
    return undefined;
  }
  return {
    grant,
    identity,
    accessToken: new Secret(access),
    refreshToken: isText(refresh) ? new Secret(refresh) : undefined,
    scope: typeof scope === "string" ? scope : undefined,
    sentAtMs: sent,
    lifetimeMs: lifetime,
    signedInAtMs: since,
    intent: parseIntent(intent),
  };
}

function parseIntent(value: unknown): RefreshIntent | undefined {
  if (!isObject(value)) return undefined;
  const { id, fingerprint, at } = value;
  return isText(id) && isText(fingerprint) && isTime(at) ? { id, fingerprint, atMs: at } : undefined;
}

function tokenContent(token: VisitorToken): unknown {
  const { intent } = token;
  return {
    grant: token.grant,
    identity: token.identity,
    access: token.accessToken.reveal(),
    refresh: token.refreshToken?.reveal(),
    scope: token.scope,
    sent: token.sentAtMs,
    lifetime: token.lifetimeMs,
    since: token.signedInAtMs,
    intent:
      intent === undefined ? undefined : { id: intent.id, fingerprint: intent.fingerprint, at: intent.atMs },
  };
}

/** The same record with another token for one credential; undefined: with none. */
export function withToken(
  record: SessionRecord,
  credential: string,
  token: VisitorToken | undefined,
): SessionRecord {
  const tokens = new Map(record.tokens);
  if (token === undefined) tokens.delete(credential);
  else tokens.set(credential, token);
  return { ...record, tokens };
}

/** Whether a user has signed in with any credential of it. */
export function hasUser({ tokens }: SessionRecord): boolean {
  for (const token of tokens.values()) if (token.grant === "user") return true;
  return false;
}

/** Same tokens: what differs at most is an intent. */
export function isSameGrant(a: VisitorToken, b: VisitorToken): boolean {
  return (
    a.accessToken.equals(b.accessToken) &&
    isSameSecret(a.refreshToken, b.refreshToken) &&
    a.sentAtMs === b.sentAtMs
  );
}

function isSameSecret(a: Secret | undefined, b: Secret | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}

/** Somebody else's intent for this very refresh token, whose lock is gone: whether it was used up nobody knows. */
export function isDoubtful({ intent, refreshToken }: VisitorToken, processId: string): boolean {
  return (
    intent !== undefined && intent.id !== processId && intent.fingerprint === refreshToken?.fingerprint()
  );
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

export function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
