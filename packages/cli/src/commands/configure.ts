import { text, UsageError, type Command } from "../command.ts";

export const configure: Command = {
  summary: "Keeps a key, read from the input, in a file that only you can read.",
  usage: "[--url <url>] < key.txt",
  options: { url: { value: "url", about: "where the platform is; http://127.0.0.1:8080" } },
  notes: ["At a terminal paste the key, then Enter and Ctrl-D."],
  async run(context) {
    const url = text(context.values, "url") ?? "http://127.0.0.1:8080";
    if (!URL.canParse(url))
      throw new UsageError("--url must be an address such as https://messages.example.com");
    const key = (await context.readInput()).trim();
    if (!/^a[ks]_(test|live|admin)_\w+$/.test(key))
      throw new UsageError("The input is no key: ak_test_… or ak_live_… on one line.");
    context.print(`Kept in ${context.configure({ key, url })}`);
  },
};
