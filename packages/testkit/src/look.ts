import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { axeFindings, htmlFindings, type Browser } from "./browser.ts";

export type Look = {
  /** Every fault of a page, given as the text that was sent; none when all is well. Leaves a picture of it by this name. */
  at(name: string, text: string): Promise<readonly string[]>;
  close(): Promise<void>;
};

const phone = { width: 360, height: 800 };
const tablet = { width: 768, height: 1024 };
const desk = { width: 1440, height: 900 };
const wall = { width: 1920, height: 1080 };

const inPage = readFileSync(new URL("look-in-page.js", import.meta.url), "utf8");

/** A run that is to be looked at; it takes three times as long. */
const wantsAll = process.env["HELIOGRAPH_TEST_PICTURES"] === "all";

/** Header, navigation and foot of a page, in which only what is current differs. */
const framePart = /<(header|footer|nav)\b[^>]*>([\s\S]*?)<\/\1>/g;
const saidThere = (part: string): string => part.replaceAll(/ (?:aria-current|value)="[^"]*"/g, "");

/** Of what several pages repeat, leaves the words where they come first. */
function leavingOutKnown(): (text: string) => string {
  const known = new Set<string>();
  return (text) =>
    text.replaceAll(framePart, (part: string, tag: string, inner: string) => {
      const said = saidThere(part);
      if (known.has(said)) return part.replace(`${inner}</${tag}>`, `</${tag}>`);
      known.add(said);
      return part;
    });
}

/**
 * A page of a browser in which one document after another is shown, the styles of which are those at `address`. Each is looked at by html-validate, by axe on a phone in both
 * themes (in the dark one for colours alone, which are all that differs), for what is wider than a phone and for lines that are too long on a wall, in print and in forced
 * colours. What stands around a page is looked at with the first that has it. Documents are put into one page: to load each costs more than to look at it.
 */
export async function openLook(
  browser: Browser,
  { address, pictures }: { readonly address: string; /** A folder. */ readonly pictures: string },
): Promise<Look> {
  mkdirSync(pictures, { recursive: true });
  const context = await browser.newContext({ viewport: wall });
  const page = await context.newPage();
  await page.goto(address);
  await page.evaluate(inPage);
  const withoutKnown = leavingOutKnown();
  const ask = (what: string): Promise<readonly string[]> =>
    page.evaluate<readonly string[]>(`look.${what}()`);
  // As JPEG: a picture as PNG takes twice as long.
  const shoot = (name: string, fullPage: boolean) =>
    page.screenshot({ path: join(pictures, `${name}.jpg`), quality: 85, fullPage });

  async function shootAll(name: string): Promise<void> {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const size of [phone, tablet, desk]) {
        await page.setViewportSize(size);
        await shoot(`${name}-${size.width}-${colorScheme}`, true);
      }
    }
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize(wall);
  }

  async function look(name: string, text: string): Promise<Record<string, readonly string[]>> {
    const put = (shown: string) => page.evaluate(`look.put(${JSON.stringify(shown)})`);
    await put(text);
    const onWall = await ask("wide");
    await shoot(`${name}-1920-light`, false);
    if (wantsAll) await shootAll(name);
    await page.setViewportSize(phone);
    const onPhone = await ask("narrow");
    const own = withoutKnown(text);
    const inText = await htmlFindings(own);
    await put(own);
    const light = await axeFindings(page);
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await axeFindings(page, ["color-contrast"]);
    await page.emulateMedia({ media: "print" });
    const printed = await ask("onPaper");
    await page.emulateMedia({ media: "screen", colorScheme: "light", forcedColors: "active" });
    const forced = await ask("inForcedColours");
    await page.emulateMedia({ forcedColors: "none" });
    await page.setViewportSize(wall);
    return {
      "in its text": inText,
      "1920 pixels wide": onWall,
      "360 pixels wide": [...onPhone, ...light],
      "in the dark": dark,
      "in print": printed,
      "in forced colours": forced,
    };
  }

  return {
    at: async (name, text) =>
      Object.entries(await look(name, text)).flatMap(([where, faults]) =>
        faults.map((fault) => `${name} ${where}: ${fault}`),
      ),
    close: () => context.close(),
  };
}
