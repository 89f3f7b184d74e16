/**
 * A browser as far as logins need one, over plain HTTP: a cookie jar, redirects, forms, and what browsers say of a request
 * by themselves (Fetch Metadata, Origin). A second one is another person's.
 */
import { type Reply, send } from "../e2e/support/http-client.ts";

export interface TestBrowser {
  /** Navigates, as from the address bar, and goes where redirects lead. */
  visit(url: string, options?: VisitOptions): Promise<Visited>;
  /** A link of that page, by a part of its text. */
  follow(page: Visited, text: string, options?: VisitOptions): Promise<Visited>;
  /** The page's form, with its hidden fields. */
  submit(page: Visited, fields: Readonly<Record<string, string>>, options?: VisitOptions): Promise<Visited>;
  /** A script's request to the page's own origin. */
  script(url: string, options?: ScriptOptions): Promise<Reply>;
  /** What scripts cannot read and attackers would like to. */
  cookie(url: string, name: string): string | undefined;
  /** Puts a cookie in the jar. */
  plant(url: string, setCookie: string): void;
}

export interface VisitOptions {
  /** Where to stop before it is requested; the page then has that URL and status 0. */
  readonly stopAt?: (url: URL) => boolean;
}

export interface ScriptOptions {
  readonly method?: string;
  readonly body?: string;
}

/** Where a navigation ended. */
export interface Visited {
  readonly url: URL;
  readonly status: number;
  readonly text: string;
  readonly headers: Reply["headers"];
  /** Every URL on the way, the last one included. */
  readonly passed: readonly string[];
  /** Every `Set-Cookie` on the way. */
  readonly cookiesSet: readonly string[];
}

export interface BrowserOptions {
  /** Where an origin really is (`https://app.example` → `http://127.0.0.1:PORT`), as behind whatever ends TLS there. */
  readonly hosts?: () => Readonly<Record<string, string>>;
}

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly host: string;
  readonly path: string;
  readonly secure: boolean;
}

const MAX_REDIRECTS = 12;

export function createTestBrowser({ hosts = () => ({}) }: BrowserOptions = {}): TestBrowser {
  const jar = new Map<string, Cookie>();

  const keep = (url: URL, setCookie: string): void => {
    const cookie = parseSetCookie(url, setCookie);
    if (cookie === undefined) return;
    const key = JSON.stringify([cookie.host, cookie.path, cookie.name]);
    if (cookie.expired) jar.delete(key);
    else jar.set(key, cookie);
  };

  const sent = (url: URL): string =>
    [...jar.values()]
      .filter(({ host, path, secure }) => {
        const isBelow = url.pathname === path || url.pathname.startsWith(path.replace(/\/?$/, "/"));
        return host === url.hostname && isBelow && (!secure || url.protocol === "https:");
      })
      .sort((one, other) => other.path.length - one.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join("; ");

  async function ask(
    url: URL,
    method: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<Reply> {
    const cookies = sent(url);
    const origin = hosts()[url.origin] ?? url.origin;
    const reply = await send(`${origin}${url.pathname}${url.search}`, {
      method,
      headers: { Host: url.host, ...headers, ...(cookies === "" ? {} : { Cookie: cookies }) },
      ...(body === undefined ? {} : { body }),
    });
    for (const setCookie of reply.headers["set-cookie"] ?? []) keep(url, setCookie);
    return reply;
  }

  async function navigate(
    start: URL,
    from: URL | undefined,
    { stopAt }: VisitOptions = {},
    form?: URLSearchParams,
  ): Promise<Visited> {
    const passed: string[] = [];
    const cookiesSet: string[] = [];
    let url = start;
    let body = form;
    // A chain of redirects is as foreign as the most foreign of its hops (Fetch Metadata §2.3).
    let isCrossSite = from !== undefined && siteOf(from) !== siteOf(url);
    for (let hop = 0; hop < MAX_REDIRECTS; hop += 1) {
      passed.push(url.href);
      if (stopAt?.(url) === true) return { url, status: 0, text: "", headers: {}, passed, cookiesSet };
      const site = from === undefined && hop === 0 ? "none" : isCrossSite ? "cross-site" : "same-origin";
      const fields: Record<string, string> = {
        Accept: "text/html,application/xhtml+xml,*/*;q=0.8",
        "Sec-Fetch-Site": site,
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-User": "?1",
      };
      if (body !== undefined) {
        fields["Content-Type"] = "application/x-www-form-urlencoded";
        fields["Origin"] = from?.origin ?? "null";
      }
      const reply = await ask(url, body === undefined ? "GET" : "POST", fields, body?.toString());
      cookiesSet.push(...(reply.headers["set-cookie"] ?? []));
      const { location } = reply.headers;
      if (![301, 302, 303].includes(reply.status) || location === undefined) {
        const { status, text, headers } = reply;
        return { url, status, text, headers, passed, cookiesSet };
      }
      const next = new URL(location, url);
      isCrossSite ||= siteOf(next) !== siteOf(url);
      url = next;
      body = undefined;
    }
    throw new Error(`redirected without end:\n${passed.join("\n")}`);
  }

  return {
    visit: (url, options) => navigate(new URL(url), undefined, options),
    follow(page, text, options) {
      const links = [...page.text.matchAll(/<a\b[^>]*\bhref="([^"]*)"[^>]*>([\s\S]*?)<\/a>/g)];
      const found = links.find(([, , label = ""]) => label.includes(text))?.[1];
      if (found === undefined) throw new Error(`no link "${text}" on:\n${page.text}`);
      return navigate(new URL(unescapeHtml(found), page.url), page.url, options);
    },
    submit(page, fields, options) {
      const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/.exec(page.text);
      if (form === null) throw new Error(`no form on ${page.url.href}:\n${page.text}`);
      const action = attribute(form[1] ?? "", "action") ?? page.url.href;
      const values = new URLSearchParams();
      for (const [input] of (form[2] ?? "").matchAll(/<input\b[^>]*>/g)) {
        const name = attribute(input, "name");
        if (attribute(input, "type") === "hidden" && name !== undefined)
          values.set(name, attribute(input, "value") ?? "");
      }
      for (const [name, value] of Object.entries(fields)) values.set(name, value);
      return navigate(new URL(action, page.url), page.url, options, values);
    },
    script(url, { method = "GET", body } = {}) {
      const target = new URL(url);
      const headers: Record<string, string> = {
        Accept: "*/*",
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Dest": "empty",
      };
      if (method !== "GET") headers["Origin"] = target.origin;
      if (body !== undefined) headers["Content-Type"] = "application/json";
      return ask(target, method, headers, body);
    },
    cookie(url, name) {
      const { hostname } = new URL(url);
      return [...jar.values()].find((cookie) => cookie.host === hostname && cookie.name === name)?.value;
    },
    plant: (url, setCookie) => keep(new URL(url), setCookie),
  };
}

/** Hosts here are single names or addresses: each is a site of its own, whatever the port. */
function siteOf({ protocol, hostname }: URL): string {
  return `${protocol}//${hostname}`;
}

/** RFC 6265 §5.3, with the prefix `__Host-` of its successor; undefined: a browser would not take it. */
function parseSetCookie(url: URL, text: string): (Cookie & { readonly expired: boolean }) | undefined {
  const [pair = "", ...rest] = text.split(";").map((part) => part.trim());
  const equals = pair.indexOf("=");
  const name = pair.slice(0, equals);
  const attributes = new Map(
    rest.map((part) => {
      const [key = "", ...value] = part.split("=");
      return [key.toLowerCase(), value.join("=")];
    }),
  );
  const secure = attributes.has("secure");
  const path = attributes.get("path") ?? url.pathname.replace(/\/[^/]*$/, "");
  if (equals < 1 || (secure && url.protocol !== "https:")) return undefined;
  if (name.startsWith("__Host-") && (!secure || path !== "/" || attributes.has("domain"))) return undefined;
  const maxAge = attributes.get("max-age");
  const expires = attributes.get("expires");
  const expired =
    maxAge === undefined ? expires !== undefined && Date.parse(expires) <= Date.now() : Number(maxAge) <= 0;
  return { name, value: pair.slice(equals + 1), host: url.hostname, path: path || "/", secure, expired };
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? undefined : unescapeHtml(value);
}

function unescapeHtml(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll(/&#0?39;|&#x27;/gi, "'")
    .replaceAll("&amp;", "&");
}
