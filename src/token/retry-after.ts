const DELAY_SECONDS = /^\d{1,15}$/;
/** IMF-fixdate, the one form that a sender may write (RFC 9110 §5.6.7); `Date.parse` alone takes much that is no date. */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const UNIX_SECONDS = /^\d{9,12}(?:\.\d+)?$/;

/**
 * Milliseconds that a server asks to be left alone: `Retry-After` as seconds or as a date (RFC 9110 §10.2.3).
 * Undefined for junk, for a negative number and for a moment that has passed. Not capped.
 */
export function parseRetryAfter(value: string | undefined, wallMs: number): number | undefined {
  const text = value?.trim();
  if (text === undefined) return undefined;
  if (DELAY_SECONDS.test(text)) return positive(Number(text) * 1_000);
  return IMF_FIXDATE.test(text) ? positive(Date.parse(text) - wallMs) : undefined;
}

/** The same of `x-ratelimit-reset`, which Zocdoc's (Auth0's) 429 gives in Unix seconds. */
export function parseRateLimitReset(value: string | undefined, wallMs: number): number | undefined {
  const text = value?.trim();
  return text !== undefined && UNIX_SECONDS.test(text) ? positive(Number(text) * 1_000 - wallMs) : undefined;
}

function positive(ms: number): number | undefined {
  return ms > 0 ? ms : undefined;
}
