import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type StartedProcess, spawnPillion } from "../support/pillion-process.ts";
import {
  type Browser,
  type BrowserContext,
  type Page,
  readableByScript,
  type Sightings,
  startBrowser,
  watch,
} from "./support/browser.ts";

/** Where a picture for the documentation is to be put; none is made without. */
const PICTURE = process.env["PILLION_DEMO_PICTURE"];

/** JWTs of the emulator begin so; its refresh tokens are longer than anything else in base64url. */
const TOKEN = /eyJ[\w-]{10,}\.|[\w-]{60,}/;

let state: string;
let dev: StartedProcess;
let demo: string;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let sightings: Sightings;

async function startDev(listen = "127.0.0.1:0"): Promise<void> {
  dev = spawnPillion(["dev", "--listen", listen, "--admin", "127.0.0.1:0"], {
    env: { XDG_STATE_HOME: state },
  });
  demo = (await dev.printed(/http:\/\/localhost:\d+\/demo\//))[0];
}

beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), "pillion-demo-"));
  browser = await startBrowser();
  await startDev();
});
afterAll(async () => {
  await browser.close();
  await dev.stop();
  rmSync(state, { recursive: true });
});

beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 });
  page = await context.newPage();
  page.setDefaultTimeout(10_000);
  sightings = watch(page);
});
afterEach(() => context.close());

const status = () => page.getByRole("status");
const link = (name: string | RegExp) => page.getByRole("link", { name });
const button = (name: string | RegExp) => page.getByRole("button", { name });

/** By keyboard: focus and Enter, as a person without a mouse. */
const press = (control: ReturnType<typeof link>) => control.press("Enter");

async function search(): Promise<void> {
  await page.goto(demo);
  await page.getByLabel("Specialty").selectOption({ label: "Example Family Medicine" });
  await page.getByLabel("Zip code").press("Enter");
  await status().filter({ hasText: "providers found" }).waitFor();
}

async function signIn(): Promise<void> {
  await page.getByLabel("Email address").fill("patient@example.com");
  await page.getByLabel("Password").fill("fake-password");
  await page.getByLabel("Password").press("Enter");
  await press(button("Allow"));
  await button("Sign out").waitFor();
}

describe("the demo", () => {
  it("goes from an anonymous search by the login to a booked appointment, and out again", async () => {
    await search();
    expect(await page.getByRole("heading", { level: 1 }).count()).toBe(1);
    const slot = link(/ with Dr\. Sample Avocet, MD$/).first();
    const time = await slot.innerText();
    await press(slot);
    await press(link("Sign in to book"));

    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("Sign in");
    await page.getByLabel("Email address").fill("patient@example.com");
    await page.getByLabel("Password").fill("wrong");
    await page.getByLabel("Password").press("Enter");
    await page.getByRole("alert").filter({ hasText: "Wrong email address or password" }).waitFor();
    await page.getByLabel("Password").fill("fake-password");
    await page.getByLabel("Password").press("Enter");
    expect(await page.getByRole("listitem").allInnerTexts()).toContain("Allow offline access");
    await press(button("Allow"));

    await page.getByRole("region", { name: "Your choice" }).filter({ hasText: time }).waitFor();
    await press(button("Book"));
    await status().filter({ hasText: "Your appointment is booked." }).waitFor();
    const booked = page.getByRole("region", { name: "Your appointments" }).getByRole("listitem");
    expect(await booked.innerText()).toContain(time);
    if (PICTURE !== undefined) await page.screenshot({ path: PICTURE });

    const readable = await readableByScript(page);
    expect(readable).not.toMatch(TOKEN);
    await press(button("Sign out"));
    await link("Sign in").waitFor();
    expect(await page.getByRole("region", { name: "Your appointments" }).count()).toBe(0);

    // The one that the provider asks to have in its authorize URL (Zocdoc, Anonymous User Flow) goes past the page.
    const seen = (await sightings.text()).replaceAll(/(?<=[?&]anonymous_token=)[\w.-]+/g, "");
    expect(seen).toContain("/.pillion/callback?");
    expect(seen.match(TOKEN)?.[0]).toBeUndefined();
    for (const cookie of await context.cookies())
      expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Lax" });
  });

  it("is where the login comes back to, by whatever name of the machine it was opened", async () => {
    await page.goto(demo.replace("localhost", "127.0.0.1"));
    await page.waitForURL(demo);
    await link("Sign in").waitFor();
  });

  it("takes no for an answer at the consent page", async () => {
    await page.goto(demo);
    await press(link("Sign in"));
    await page.getByLabel("Email address").fill("parent@example.com");
    await page.getByLabel("Password").fill("fake-password");
    await page.getByLabel("Password").press("Enter");
    await press(button("Deny"));
    await page.getByText("LOGIN_FAILED").waitFor();
    await page.goto(demo);
    await link("Sign in").waitFor();
  });

  it("has the user signed in, and the appointment there, after a restart of dev", async () => {
    await page.goto(demo);
    await press(link("Sign in"));
    await signIn();
    const listen = new URL(demo).host.replace("localhost", "127.0.0.1");
    dev.signal("SIGKILL");
    await dev.exited();
    await startDev(listen);
    await page.goto(demo);
    await button("Sign out").waitFor();
    await page.getByRole("region", { name: "Your appointments" }).getByRole("listitem").first().waitFor();
  });
});
