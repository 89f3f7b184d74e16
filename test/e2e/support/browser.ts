import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

/** Debian's. */
const CHROMIUM = "/usr/bin/chromium";

/** A browser without a window, on loopback alone. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    // The sandbox needs a user that is not root; only pages of our own are opened.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ["--disable-gpu", "--disable-background-networking", "--proxy-server=direct://"],
  });
}

/** Everything that a page's own code, or somebody at its developer tools, could get to see. */
export interface Sightings {
  /** Bodies and header fields of all answers so far, redirects' too. */
  text(): Promise<string>;
}

export function watch(page: Page): Sightings {
  const seen: Promise<string>[] = [];
  page.on("response", (response) => {
    const body = response.body().then(String, () => ""); // A redirect has none.
    const headers = response.headersArray();
    seen.push(
      Promise.all([body, headers]).then(
        ([text, fields]) => `${response.url()}\n${JSON.stringify(fields)}\n${text}`,
      ),
    );
  });
  page.on("request", (request) => {
    seen.push(
      Promise.resolve(`${request.url()}\n${JSON.stringify(request.headers())}\n${request.postData() ?? ""}`),
    );
  });
  return { text: async () => (await Promise.all(seen)).join("\n") };
}

/** What the page's script can reach: its document, storages, and the cookies that are not HttpOnly. */
export function readableByScript(page: Page): Promise<string> {
  return page.evaluate(`(async () => JSON.stringify([
    document.documentElement.outerHTML,
    { ...localStorage },
    { ...sessionStorage },
    document.cookie,
    await indexedDB.databases(),
    await caches.keys(),
    history.state,
  ]))()`) as Promise<string>;
}

export type { Browser, BrowserContext, Page };
