import { until } from "@heliograph/testkit";
import type { Browser, Page } from "@heliograph/testkit/browser";

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
