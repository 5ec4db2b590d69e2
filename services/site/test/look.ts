import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "@heliograph/testkit";
import { axeFindings, type Browser, type Page } from "@heliograph/testkit/browser";

/** Not in the repository; a run leaves its pictures here. */
const pictures = join(import.meta.dirname, "../../../.cache/screenshots/site");

/**
 * Every fault that a browser shows of the pages: what axe finds (in the dark theme colours alone, which are all that differs), and what is wider than a phone. Each page is left as a picture,
 * on a phone and on a desk in both themes.
 */
export async function lookAt(
  browser: Browser,
  origin: string,
  paths: readonly string[],
): Promise<readonly string[]> {
  mkdirSync(pictures, { recursive: true });
  const page = await (await browser.newContext({ bypassCSP: true })).newPage();
  const faults: string[] = [];
  for (const path of paths) {
    const name = path === "/" ? "home" : path.slice(1).replaceAll("/", "-");
    const shoot = (how: string) => page.screenshot({ path: join(pictures, `${name}-${how}.png`) });
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto(`${origin}${path}`);
    await shoot("360-light");
    const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
    if (wide !== 0) faults.push(`${path} is ${String(wide)} px wider than a phone`);
    await page.setViewportSize({ width: 1440, height: 900 });
    await shoot("1440-light");
    faults.push(...(await axeFindings(page)).map((fault) => `${path}: ${fault}`));
    await page.emulateMedia({ colorScheme: "dark" });
    await shoot("1440-dark");
    const dark = await axeFindings(page, ["color-contrast"]);
    faults.push(...dark.map((fault) => `${path} in the dark: ${fault}`));
  }
  return faults;
}

/** Whoever is faster than a person is told to press again. */
async function press(page: Page): Promise<void> {
  await until(async () => {
    await page.click("main form button");
    return !(await page.locator('[role="alert"]:has-text("press the button again")').isVisible());
  });
}

/** Fills the evaluation form in as a person does, and says where that led. */
export async function askInBrowser(
  browser: Browser,
  origin: string,
  javaScriptEnabled: boolean,
): Promise<{ readonly refused: string; readonly led: string; readonly heading: string }> {
  const context = await browser.newContext({ baseURL: origin, javaScriptEnabled });
  const page = await context.newPage();
  await page.goto("/");
  await page.click("header a.button");
  const company = `Scripts ${javaScriptEnabled ? "on" : "off"}`;
  await page.fill("#company", company);
  await page.fill("#name", "Ada");
  // A browser lets it pass; the platform does not.
  await page.fill("#email", "ada@acme");
  await page.fill("#use_case", "Order updates");
  await press(page);
  const refused = await page.locator("#email-fault").innerText();
  const email = `${company.toLowerCase().replace(" ", "-")}@acme.example`;
  await page.fill("#email", email);
  await press(page);
  const led = new URL(page.url()).pathname;
  const heading = await page.locator("h1").innerText();
  await context.close();
  return { refused, led, heading };
}
