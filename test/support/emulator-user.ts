import { PASSWORD } from "../../src/emulator/users.ts";

export interface SignInOptions {
  readonly email?: string;
  readonly password?: string;
  /** Which button of the consent page. Default `allow`. */
  readonly consent?: "allow" | "deny";
}

/** A browser as far as the emulator's pages need one: cookies of one origin, forms, no redirect followed unseen. */
export interface EmulatorBrowser {
  get(url: string): Promise<Response>;
  /** Submits the form of a page that was got from `url`, with its hidden fields. */
  submit(url: string, page: string, fields: Readonly<Record<string, string>>): Promise<Response>;
  cookie: string;
}

export function createEmulatorBrowser(): EmulatorBrowser {
  async function send(url: string, init: RequestInit): Promise<Response> {
    const headers = { ...init.headers, ...(browser.cookie === "" ? {} : { Cookie: browser.cookie }) };
    const response = await fetch(url, { ...init, headers, redirect: "manual" });
    const [cookie] = response.headers.getSetCookie();
    if (cookie !== undefined) browser.cookie = cookie.split(";", 1)[0] ?? "";
    return response;
  }
  const browser: EmulatorBrowser = {
    cookie: "",
    get: (url) => send(url, {}),
    submit(url, page, fields) {
      const body = new URLSearchParams(hiddenFields(page));
      for (const [name, value] of Object.entries(fields)) body.set(name, value);
      return send(url, { method: "POST", body });
    },
  };
  return browser;
}

export function hiddenFields(page: string): [string, string][] {
  const inputs = page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g);
  return [...inputs].map(([, name = "", value = ""]) => [name, value]);
}

/**
 * Signs a fake user in at the emulator, and agrees or not. Where the browser is sent then: the redirect URI with a code
 * or an error. Rejects with the page's text where the request is refused without a redirect.
 */
export async function signIn(authorizeUrl: string, options: SignInOptions = {}): Promise<URL> {
  const { email = "patient@example.com", password = PASSWORD, consent = "allow" } = options;
  const browser = createEmulatorBrowser();
  const first = await browser.get(authorizeUrl);
  if (first.status === 303) return locationOf(first);
  await expectStatus(await browser.submit(authorizeUrl, await first.text(), { email, password }), 303);
  const page = await browser.get(authorizeUrl);
  const answer = await browser.submit(authorizeUrl, await page.text(), { step: consent });
  await expectStatus(answer, 303);
  return locationOf(answer);
}

function locationOf(response: Response): URL {
  return new URL(response.headers.get("location") ?? "");
}

async function expectStatus(response: Response, status: number): Promise<void> {
  if (response.status === status) return;
  throw new Error(`the emulator answered ${response.status}: ${await response.text()}`);
}
