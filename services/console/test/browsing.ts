import type { Page } from "@heliograph/testkit/browser";

/** Asks for a page, is asked who he is, and gets there. */
export async function enter(
  page: Page,
  path: string,
  { email, password }: { readonly email: string; readonly password: string },
): Promise<void> {
  await page.goto(path);
  await page.fill("[name=email]", email);
  await page.fill("[name=password]", password);
  await page.click("button.main");
}

/** Where a message is shown that is sent, and where whoever goes back to its form and sends the same once more is led. */
export async function sentTwiceByBack(page: Page): Promise<readonly string[]> {
  const places: string[] = [];
  await page.goto("/console/send");
  for (let time = 0; time < 2; time++) {
    await page.fill("[name=to]", "+15551230001");
    await page.fill("[name=text]", "Once, whatever you do");
    await page.click("text=Send in the sandbox");
    places.push(page.url());
    await page.goBack();
  }
  return places;
}
