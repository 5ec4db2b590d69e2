import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { axeFindings, htmlFindings, type Page } from "@heliograph/testkit/browser";

/** Not in the repository; a run leaves its pictures here. */
const pictures = join(import.meta.dirname, "../../../.cache/screenshots/console");
mkdirSync(pictures, { recursive: true });

/** A run that is to be looked at; it takes three times as long. */
const all = process.env["HELIOGRAPH_TEST_PICTURES"] === "all";

const phone = { width: 360, height: 800 };
const tablet = { width: 768, height: 1024 };
const desk = { width: 1440, height: 900 };

/** The same in each run: ids are others. */
const nameOf = (path: string): string =>
  path
    .replace(/^\/console\/?/, "")
    .replaceAll(/[a-z]{3}_[0-9A-Z]{26}/g, "one")
    .replaceAll(/[^\w-]+/g, "-") || "overview";

async function shootRest(page: Page, shoot: (how: string) => Promise<unknown>): Promise<void> {
  for (const [size, colorScheme] of [
    [desk, "dark"],
    [tablet, "dark"],
    [tablet, "light"],
    [phone, "light"],
  ] as const) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    await shoot(`${size.width}-${colorScheme}`);
  }
}

/**
 * Every fault of a page that is shown on a phone, in both themes: in the dark one colours alone, which are all that differs. Leaves two pictures of it: light on a desk, dark on
 * a phone.
 */
export async function lookAt(page: Page, path: string, text: string): Promise<readonly string[]> {
  // As JPEG: a picture of a whole page as PNG takes twice as long.
  const shoot = (how: string) =>
    page.screenshot({
      path: join(pictures, `${nameOf(path)}-${how}.jpg`),
      quality: 90,
      fullPage: true,
    });
  const [inText, light] = await Promise.all([htmlFindings(text), axeFindings(page)]);
  const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await axeFindings(page, ["color-contrast"]);
  await shoot("360-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(desk);
  await shoot("1440-light");
  if (all) await shootRest(page, shoot);
  await page.setViewportSize(phone);
  return [
    ...inText,
    ...light,
    ...dark.map((fault) => `in the dark: ${fault}`),
    ...(Number(wide) > 0 ? [`scrolls sideways by ${String(wide)}`] : []),
  ].map((fault) => `${path}: ${fault}`);
}
