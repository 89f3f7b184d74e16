/** What is wrong with a Redis URL, in words that do not quote it; undefined: nothing. A user and a password may be in it. */
export function redisUrlProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^rediss?:\/\/[^/?#]/i.test(text) || url.hostname === "") {
    return "expected a URL that begins with redis:// or rediss://";
  }
  if (!/^\/?\d{0,5}$/.test(url.pathname)) return "the path of a Redis URL is the number of a database";
  return /[?#]/.test(text) ? "a Redis URL has neither a query (?…) nor a fragment (#…)" : undefined;
}
