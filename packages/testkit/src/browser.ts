import type axe from "axe-core";
import { HtmlValidate, StaticConfigLoader } from "html-validate";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { packedBrowser, type Program } from "./packed-browser.ts";
import { required } from "./required.ts";

export type { Browser, BrowserContext, Page } from "playwright-core";

export type TestBrowser =
  | { readonly browser: Browser; readonly skip?: never }
  | { readonly browser?: never; /** Why there is none. */ readonly skip: string };

const launchDeadlineMs = 20_000;
const systemPath = "/usr/bin/chromium";

/**
 * A Chromium of one's own, to be closed in the end: `HELIOGRAPH_TEST_BROWSER`, the system's, or the one that comes with the development packages. Where there is none the
 * answer says why, once more in print, unless `HELIOGRAPH_TEST_REQUIRE` has `browser`.
 *
 * @throws Error when there is none and the run requires one.
 */
export async function testBrowser(): Promise<TestBrowser> {
  const must = required("browser");
  try {
    const { executablePath, env } = await program();
    const browser = await chromium.launch({
      executablePath,
      timeout: launchDeadlineMs,
      args: [
        "--no-sandbox",
        "--disable-quic",
        "--disable-background-networking",
        "--font-render-hinting=none",
      ],
      ...(env && { env: { ...definedOnly(process.env), ...env } }),
    });
    return { browser };
  } catch (error) {
    const skip = `no browser: ${(error as Error).message.split("\n")[0]}`;
    if (must)
      throw new Error(`this run requires a browser (HELIOGRAPH_TEST_REQUIRE): ${skip}`, {
        cause: error,
      });
    process.stderr.write(`${skip}\n`);
    return { skip };
  }
}

async function program(): Promise<Program> {
  const given = process.env["HELIOGRAPH_TEST_BROWSER"];
  if (given) return { executablePath: given };
  if (existsSync(systemPath)) return { executablePath: systemPath };
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(
      `the packed Chromium is for Linux on x64; HELIOGRAPH_TEST_BROWSER may name another`,
    );
  return packedBrowser();
}

const definedOnly = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );

const axePath = fileURLToPath(import.meta.resolve("axe-core/axe.min.js"));

/** Pages of this context come with axe in them: brought into one page after another it is sent and read anew each time, which takes as long as its looking. */
export const bringAxe = (context: BrowserContext): Promise<unknown> =>
  context.addInitScript({ path: axePath });

/**
 * What axe finds against WCAG 2.2 AA on a page as it stands; none when all is well. The page's context needs scripts on, or axe never answers. `only`: by these rules, such as
 * `color-contrast` for the second theme of a page.
 */
export async function axeFindings(
  page: Page,
  only?: readonly string[],
): Promise<readonly string[]> {
  // In the page itself and for violations alone: to bring all that is well out of it takes ten times as long as looking. Frames are left out; no page of ours has any.
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const run = {
    runOnly: only === undefined ? { type: "tag", values: tags } : { type: "rule", values: only },
    resultTypes: ["violations"],
    iframes: false,
  };
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(readFileSync(axePath, "utf8"));
  const { violations } = await page.evaluate<Pick<axe.AxeResults, "violations">>(
    `axe.run(document, ${JSON.stringify(run)}).then(({ violations }) => ({ violations }))`,
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary ?? ""}`),
  );
}

const loader = new StaticConfigLoader({
  extends: ["html-validate:recommended", "html-validate:a11y"],
  // How the text is laid out is not for a reader of it.
  rules: { "no-trailing-whitespace": "off", "long-title": "off" },
});
// The library reads its table of elements anew for each document, which takes longer than a page of ours.
const config = loader.getConfigFor("");
const sameConfig = (): typeof config => config;
loader.getConfigFor = sameConfig;
const validator = new HtmlValidate(loader);

/** What html-validate finds in a document; none when all is well. */
export async function htmlFindings(text: string): Promise<readonly string[]> {
  const { results } = await validator.validateString(text);
  return results.flatMap(({ messages }) =>
    messages.map(
      ({ ruleId, message, line }) => `${ruleId}: ${message}: ${text.split("\n")[line - 1]?.trim()}`,
    ),
  );
}
