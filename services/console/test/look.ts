import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { axeFindings, htmlFindings, type Page } from "@heliograph/testkit/browser";

/** Not in the repository; a run leaves its pictures here. */
const pictures = join(import.meta.dirname, "../../../.cache/screenshots/console");
mkdirSync(pictures, { recursive: true });

const phone = { width: 360, height: 800 };
const desk = { width: 1440, height: 900 };

/** The same in each run: ids are others. */
const nameOf = (path: string): string =>
  path
    .replace(/^\/console\/?/, "")
    .replaceAll(/[a-z]{3}_[0-9A-Z]{26}/g, "one")
    .replaceAll(/[^\w-]+/g, "-") || "overview";

/**
 * Every fault of a page that is shown on a phone, in both themes: in the dark one colours alone, which are all that differs. Leaves two pictures of it: light on a desk, dark on
 * a phone.
 */
export async function lookAt(page: Page, path: string, text: string): Promise<readonly string[]> {
  const shoot = (how: string) =>
    page.screenshot({ path: join(pictures, `${nameOf(path)}-${how}.png`), fullPage: true });
  const [inText, light] = await Promise.all([htmlFindings(text), axeFindings(page)]);
  const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await axeFindings(page, ["color-contrast"]);
  await shoot("360-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(desk);
  await shoot("1440-light");
  await page.setViewportSize(phone);
  return [
    ...inText,
    ...light,
    ...dark.map((fault) => `in the dark: ${fault}`),
    ...(Number(wide) > 0 ? [`scrolls sideways by ${String(wide)}`] : []),
  ].map((fault) => `${path}: ${fault}`);
}
