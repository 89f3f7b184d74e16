import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { MAX_LISTENERS } from "../../src/admin/status-feed.ts";
import { startPillion } from "../support/pillion-process.ts";
import { projectDirectory } from "../support/project.ts";
import {
  type Answer,
  granted,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { type Browser, type BrowserContext, type Page, startBrowser } from "./support/browser.ts";
import { expectProblem } from "./support/expectations.ts";
import { send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";
import { createWorkspace } from "./support/workspace.ts";

/** Where pictures for the documentation are to be put, and the running process to take them of; none without. */
const PICTURES = process.env["PILLION_STATUS_PICTURES"];
const PICTURED = process.env["PILLION_STATUS_URL"] ?? "http://127.0.0.1:9090/";

const ENV = { SECRET: "fake-secret-of-the-canary" };
/** RFC 6749 allows these characters in an error's description, and they are not ours to trust. */
const HOSTILE = "<img src=x onerror=alert(1)></script>";
const later: Answer = {
  status: 400,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ error: "temporarily_unavailable", error_description: HOSTILE }),
};

let tokenEndpoint: ScriptedTokenEndpoint;
let upstream: Upstream;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** What a page must not do: ask elsewhere, break its policy, or fail. */
let offences: string[];

beforeAll(async () => {
  [tokenEndpoint, upstream, browser] = await Promise.all([
    startTokenEndpoint(),
    startUpstream(),
    startBrowser(),
  ]);
});
afterAll(async () => {
  await Promise.all([browser.close(), upstream.close(), tokenEndpoint.close()]);
});

async function newPage(options: Parameters<Browser["newContext"]>[0] = {}): Promise<void> {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 1_280, height: 900 }, ...options });
  page = await context.newPage();
  page.setDefaultTimeout(10_000);
  await page.addInitScript(`window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));`);
  page.on("pageerror", (error) => offences.push(error.message));
  page.on("request", (request) => {
    const { protocol, origin, pathname } = new URL(request.url());
    const own =
      ["/", "/status/events", "/status.json"].includes(pathname) && origin === new URL(page.url()).origin;
    if (protocol !== "data:" && !request.isNavigationRequest() && !own) offences.push(request.url());
  });
}

beforeEach(async () => {
  offences = [];
  tokenEndpoint.answer(granted());
  await newPage();
});
afterEach(async () => {
  const violations = await page.evaluate("window.violations ?? []");
  expect({ offences, violations }).toEqual({ offences: [], violations: [] });
});

function configuration(tenants: readonly string[]): string {
  return `credentials:
  clinics:
    provider: oauth2
    token_url: ${tokenEndpoint.url}
    client_secret: { env: SECRET }
    tenants:
${tenants.map((tenant) => `      ${tenant}: { client_id: "client-${tenant}" }`).join("\n")}
routes:
  - { name: clinics, path: "/clinics/{tenant}/", credential: clinics, upstream: "${upstream.origin}/" }
`;
}

const row = (name: string | RegExp) => page.locator("#token-rows tr").filter({ hasText: name });
const state = (name: string, label: string) => row(name).getByText(label, { exact: true });
const names = () => page.locator("#token-rows th b").allInnerTexts();
const verdict = (text: string | RegExp) => page.getByRole("heading", { level: 1 }).filter({ hasText: text });
const link = (text: string | RegExp) => page.locator("#link").filter({ hasText: text });

describe("the status page", () => {
  let pillion: Serving;
  beforeEach(async () => {
    pillion = await serve(configuration(["isb", "riverside"]), { env: ENV });
  });
  afterEach(() => pillion.stop());

  it("teaches the first request, then shows its token without being asked", async () => {
    await page.goto(pillion.adminOrigin);
    await verdict("Ready, no token in use").waitFor();
    const line = await page.locator("#token-first code").innerText();
    expect(line).toBe(`curl -i ${pillion.origin}/clinics/isb/`);
    await send(`${pillion.origin}/clinics/isb/`);
    await row("isb")
      .filter({ hasText: /fresh.*59 min left of 60 min/s })
      .waitFor();
    await verdict("All is well").waitFor();
    expect(await page.locator("#token-first").isVisible()).toBe(false);
    expect(await row("riverside").innerText()).toContain("not used yet");
    expect(await page.content()).not.toContain("canary");
  });

  it("shows what went wrong, as text, with a next step, first of all; and that it is over", async () => {
    tokenEndpoint.answer(later);
    await page.goto(pillion.adminOrigin);
    await send(`${pillion.origin}/clinics/riverside/`);
    await verdict("1 token cannot be had").waitFor();
    const failed = row("riverside");
    await failed.filter({ hasText: HOSTILE }).waitFor();
    expect(await failed.innerText()).toMatch(
      /no token[\s\S]*temporarily_unavailable[\s\S]*Next: check token_url/,
    );
    expect(await names()).toEqual(["riverside", "isb"]);
    expect(await page.locator("img, #token-rows script").count()).toBe(0);
    tokenEndpoint.answer(granted());
    await state("riverside", "fresh").waitFor();
    expect(await failed.innerText()).not.toContain("temporarily_unavailable");
    await verdict("All is well").waitFor();
  });

  it("follows the configuration: a tenant more, and faults on disk", async () => {
    await page.goto(pillion.adminOrigin);
    await row("riverside").waitFor();
    pillion.configure(configuration(["isb", "riverside", "new-one"]));
    await row("new-one").waitFor();
    pillion.configure("nonsense: true\n");
    await verdict("The configuration on disk has faults").waitFor();
    await page
      .locator("#process")
      .filter({ hasText: "Unknown key" })
      .or(page.getByText(/nonsense/))
      .first()
      .waitFor();
    await row("new-one").waitFor();
  });

  it("can be used by keyboard alone", async () => {
    await send(`${pillion.origin}/clinics/isb/`);
    await page.goto(pillion.adminOrigin);
    await row("isb").waitFor();
    await page.keyboard.press("Tab");
    const focused = () =>
      page.evaluate(`(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        const { activeElement: { textContent, placeholder } } = document;
        return { name: textContent.trim() || placeholder, visible: outlineStyle !== "none" && outlineWidth !== "0px" };
      })()`) as Promise<{ readonly name: string; readonly visible: boolean }>;
    expect(await focused()).toEqual({ name: "Skip to tokens", visible: true });
    await page.keyboard.press("Enter");
    const order: string[] = [];
    for (let index = 0; index < 11; index += 1) {
      await page.keyboard.press("Tab");
      const { name, visible } = await focused();
      expect({ name, visible }).toEqual({ name, visible: true });
      order.push(name.replace(/^\d+ /, ""));
      if (name === "Token") await page.keyboard.press("Enter");
    }
    expect(order).toEqual([
      ...["all", "failing", "at risk", "fresh", "idle", "Search tenant, credential, error"],
      ...["Token", "State", "Time left", "Last refresh", "Next attempt"],
    ]);
    const head = page.locator("#token-head").getByRole("columnheader", { name: "Token" });
    expect(await head.getAttribute("aria-sort")).toBe("ascending");
    await page.getByRole("button", { name: "Token", exact: true }).press("Enter");
    expect(await head.getAttribute("aria-sort")).toBe("descending");
    expect(await names()).toEqual(["riverside", "isb"]);
    await page.reload();
    await row("isb").waitFor();
    expect(await names()).toEqual(["riverside", "isb"]);
  });

  it.each(["light", "dark"] as const)("fits a phone, and can be read, when it is %s", async (colorScheme) => {
    await newPage({ viewport: { width: 360, height: 740 }, colorScheme, reducedMotion: "reduce" });
    tokenEndpoint.answer(later);
    await send(`${pillion.origin}/clinics/riverside/`);
    await page.goto(pillion.adminOrigin);
    await row("riverside").filter({ hasText: "no token" }).waitFor();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
    const faint = await page.evaluate(FAINT_TEXT);
    expect(faint).toEqual([]);
  });

  it("is sorted by a list of its own on a phone, where columns have no head", async () => {
    await newPage({ viewport: { width: 360, height: 740 } });
    await page.goto(pillion.adminOrigin);
    await row("riverside").waitFor();
    expect(await page.locator("#token-head").isVisible()).toBe(false);
    await page.getByRole("combobox", { name: "Sort by" }).selectOption("Token");
    expect(await names()).toEqual(["isb", "riverside"]);
    await page.getByRole("button", { name: "ascending" }).click();
    expect(await names()).toEqual(["riverside", "isb"]);
    expect(new URL(page.url()).hash).toContain("sort=name&down=");
  });

  it("can be read where the system chooses the colours", async () => {
    await newPage({ forcedColors: "active" });
    await page.goto(pillion.adminOrigin);
    await row("riverside").waitFor();
    const grounds = await page.evaluate(`[...document.querySelectorAll("#filters button")].map(
      (button) => getComputedStyle(button).backgroundColor)`);
    const [pressed, ...others] = grounds as string[];
    expect(new Set(others).size).toBe(1);
    expect(others).not.toContain(pressed);
  });

  it("in the background shows how it is in its tab, and draws the rest once it is looked at", async () => {
    const look = (isHidden: boolean): Promise<unknown> =>
      page.evaluate(`Object.defineProperty(document, "hidden", { configurable: true, value: ${isHidden} });
        document.dispatchEvent(new Event("visibilitychange"))`);
    await page.goto(pillion.adminOrigin);
    await link("live").waitFor();
    await look(true);
    tokenEndpoint.answer(later);
    await send(`${pillion.origin}/clinics/riverside/`);
    await vi.waitFor(async () => expect(await page.title()).toBe("1 token cannot be had · Pillion"), 8_000);
    expect(await row("riverside").innerText()).toContain("not used yet");
    await look(false);
    expect(await row("riverside").innerText()).toContain("temporarily_unavailable");
    expect((await names())[0]).toBe("riverside");
  });

  it("asks for the whole where the stream has no place left", async () => {
    const taken: IncomingMessage[] = await Promise.all(
      Array.from({ length: MAX_LISTENERS }, () => listen(pillion.adminOrigin)),
    );
    expectProblem(await send(`${pillion.adminOrigin}/status/events`), 503, "OVERLOADED");
    await page.goto(pillion.adminOrigin);
    await link("every 5 s").waitFor();
    await row("riverside").waitFor();
    for (const stream of taken) stream.destroy();
  });

  it("comes back from asking to listening once there is a place", async () => {
    await page.clock.install();
    const taken = await Promise.all(Array.from({ length: MAX_LISTENERS }, () => listen(pillion.adminOrigin)));
    await page.goto(pillion.adminOrigin);
    await link("every 5 s").waitFor();
    for (const stream of taken) stream.destroy();
    await vi.waitFor(async () => {
      const probe = await listen(pillion.adminOrigin);
      probe.destroy();
      expect(probe.statusCode).toBe(200);
    }, 8_000);
    // Six times the five seconds between two questions: the sixth is followed by a try of the stream.
    await vi.waitFor(async () => {
      await page.clock.runFor(5_000);
      expect(await page.locator("#link").innerText()).toBe("live");
    }, 8_000);
    await send(`${pillion.origin}/clinics/isb/`);
    await state("isb", "fresh").waitFor();
  });

  it("says that the process is gone, and comes back with it", async () => {
    await page.goto(pillion.adminOrigin);
    await link("live").waitFor();
    pillion.signal("SIGTERM");
    expect(await pillion.exited()).toBe(0);
    await link("disconnected since").waitFor();
    await verdict("Connection lost").waitFor();
    const file = pillion.workspace.write(
      "again.yaml",
      `listen: 127.0.0.1:0\nadmin: ${new URL(pillion.adminOrigin).host}\n${configuration(["back"])}`,
    );
    await using again = await startPillion(["run", "-c", file], { env: ENV });
    expect(again.adminOrigin).toBe(pillion.adminOrigin);
    await row("back").waitFor();
    await link("live").waitFor();
  }, 60_000);
});

describe("with a thousand tenants", () => {
  const tenants = Array.from({ length: 1_000 }, (_, index) => `clinic-${String(index + 1).padStart(4, "0")}`);
  let pillion: Serving;
  beforeAll(async () => {
    pillion = await serve(configuration(tenants), { env: ENV });
    await send(`${pillion.origin}/clinics/clinic-0500/`);
  });
  afterAll(() => pillion.stop());

  it("the page shows a hundred, those that matter first, and all on demand", async () => {
    await page.goto(pillion.adminOrigin);
    await row("clinic-0500").waitFor();
    expect((await names()).slice(0, 2)).toEqual(["clinic-0500", "clinic-0001"]);
    expect(await row("").count()).toBe(100);
    await page.getByRole("button", { name: "Show 900 more" }).click();
    expect(await row("").count()).toBe(1_000);
  });

  it("search, order and what has the focus survive an update, which touches one row alone", async () => {
    await page.goto(`${pillion.adminOrigin}/#sort=name`);
    const search = page.getByRole("searchbox", { name: "Search tokens" });
    await row("clinic-0001").waitFor();
    await search.fill("clinic-07");
    expect(await row("").count()).toBe(100);
    await page.evaluate(`window.touched = new Set();
      new MutationObserver((changes) => {
        for (const { target } of changes)
          touched.add((target.closest ? target : target.parentElement).closest("tr")?.querySelector("b")?.textContent);
      }).observe(document.querySelector("#token-rows"), { subtree: true, childList: true, characterData: true, attributes: true });`);
    await send(`${pillion.origin}/clinics/clinic-0742/`);
    await state("clinic-0742", "fresh").waitFor();
    expect(await page.evaluate("[...touched]")).toEqual(["clinic-0742"]);
    expect(await search.inputValue()).toBe("clinic-07");
    expect(await page.evaluate("document.activeElement.id")).toBe("search");
    expect((await names())[42]).toBe("clinic-0742");
    expect(await row("").count()).toBe(100);
    await search.fill("no such thing");
    await page.getByText("No token is like that").waitFor();
  });
});

describe("the status page's doors", () => {
  let pillion: Serving;
  beforeAll(async () => {
    pillion = await serve(configuration(["isb"]), { env: ENV });
  });
  afterAll(() => pillion.stop());

  it.each(["/", "/status/events", "/status.json"])(
    "are shut at %s to other hosts, origins and sites",
    async (path) => {
      const url = pillion.adminOrigin + path;
      expectProblem(await send(url, { headers: { Host: "rebound.example" } }), 403, "HOST_NOT_ALLOWED");
      expectProblem(
        await send(url, { headers: { Origin: "https://other.example" } }),
        403,
        "ORIGIN_NOT_ALLOWED",
      );
      const crossSite = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
      };
      expectProblem(await send(url, { headers: crossSite }), 403, "ORIGIN_NOT_ALLOWED");
      expectProblem(await send(url, { method: "POST" }), 405, "METHOD_NOT_ALLOWED");
      const head = await send(url, { method: "HEAD" });
      expect({ status: head.status, text: head.text }).toEqual({ status: 200, text: "" });
      expect(head.headers).toMatchObject({
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
      });
    },
  );

  it("lead to a document that says since when a token fails, and what to do", async () => {
    const read = async () => (await send(`${pillion.adminOrigin}/status.json`)).json;
    await send(`${pillion.origin}/clinics/isb/`);
    const before = await read();
    expect(before).toMatchObject({ ready: true, access_token_required: false, traffic: { routes: {} } });
    expect(before.tokens[0].obtained_at).toMatch(/^\d{4}-\d\d-\d\dT/);
    expect(before.config).not.toHaveProperty("last_reload_at");
    tokenEndpoint.answer({ status: 503 });
    pillion.configure(configuration(["other"]));
    await pillion.logged("config_reloaded");
    await send(`${pillion.origin}/clinics/other/`);
    const after = await read();
    expect(after.tokens.map(({ tenant }: { tenant: string }) => tenant)).toEqual(["other"]);
    const { hint, since, attempts } = after.tokens[0].last_error;
    expect({ hint, attempts: attempts >= 1 }).toEqual({
      hint: expect.stringContaining("tried again"),
      attempts: true,
    });
    expect(Date.parse(since)).toBeLessThanOrEqual(Date.parse(after.now));
    expect(Date.parse(after.config.last_reload_at)).toBeGreaterThan(Date.parse(before.now));
    pillion.configure(configuration(["isb"]));
    await pillion.logged("config_reloaded", 1);
    await page.goto(pillion.adminOrigin);
  });

  it("say how the page may be used", async () => {
    const { headers, text } = await send(`${pillion.adminOrigin}/`);
    expect(headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "referrer-policy": "no-referrer",
    });
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; .*frame-ancestors 'none'/);
    expect(text).toContain('"name":"clinics"');
    expect(text).not.toContain("canary");
    await page.goto(pillion.adminOrigin);
  });
});

/** The page's functions reach the browser as their own text, and a bundler rewrites that. */
describe("the page of a bundle", () => {
  it.each([
    ["as it is published", false],
    ["whose bundler was told to keep names", true],
  ])("runs: %s", async (_name, keepNames) => {
    const workspace = createWorkspace();
    const bundle = join(workspace.directory, "page.mjs");
    buildSync({
      stdin: {
        // Names that are there twice are changed.
        contents: `export { PAGE_POLICY, statusPage } from "./src/admin/status-page.ts";
          export const byId = 1, count = 2, select = 3, span = 4, startPage = 5;`,
        resolveDir: projectDirectory,
      },
      outfile: bundle,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "es2022",
      charset: "utf8",
      keepNames,
    });
    const { PAGE_POLICY, statusPage } = (await import(/* @vite-ignore */ pathToFileURL(bundle).href)) as {
      readonly PAGE_POLICY: string;
      readonly statusPage: (status: unknown) => string;
    };
    await using pillion = await serve(configuration(["isb"]), { env: ENV });
    const { json } = await send(`${pillion.adminOrigin}/status.json`);
    await page.route(`${pillion.adminOrigin}/`, (route) =>
      route.fulfill({
        contentType: "text/html; charset=utf-8",
        headers: { "content-security-policy": PAGE_POLICY },
        body: statusPage(json),
      }),
    );
    await page.goto(pillion.adminOrigin);
    await link("live").waitFor();
    await send(`${pillion.origin}/clinics/isb/`);
    await state("isb", "fresh").waitFor();
    await verdict("All is well").waitFor();
    workspace.remove();
  });
});

/** Only where pictures are asked for. */
describe.runIf(PICTURES !== undefined)("pictures of a running process", () => {
  it.each([
    ["status-light", "light", 1_200, 860],
    ["status-dark", "dark", 1_200, 860],
    ["status-phone", "light", 360, 700],
  ] as const)("%s", async (name, colorScheme, width, height) => {
    await newPage({ viewport: { width, height }, colorScheme, deviceScaleFactor: width < 500 ? 2 : 1 });
    await page.goto(PICTURED);
    await link("live").waitFor();
    await page.screenshot({ path: join(PICTURES ?? "", `${name}.png`) });
  });
});

/** One listener's stream, once its first bytes are there. */
function listen(adminOrigin: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get(`${adminOrigin}/status/events`, { agent: false }, (answer) => {
      answer.on("error", () => {});
      answer.once("data", () => resolve(answer));
    });
    request.on("error", reject);
  });
}

/** Texts whose contrast with what is behind them is less than 4.5 to 1 (WCAG 2.2 §1.4.3). */
const FAINT_TEXT = `(() => {
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = (colour, under) => {
    if (under !== undefined) { pixel.fillStyle = under; pixel.fillRect(0, 0, 1, 1); }
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (backgroundColor !== "rgba(0, 0, 0, 0)") return backgroundColor;
    }
    return "white";
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    if (node.textContent.trim() === "" || !element.checkVisibility() || element.closest("script, style, noscript")) continue;
    const ground = behind(element);
    const [one, other] = [luminance(getComputedStyle(element).color, ground), luminance(ground)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) faint.push(node.textContent.trim() + " " + ratio.toFixed(2));
  }
  return faint;
})()`;
