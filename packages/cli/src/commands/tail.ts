import { feedOptions, number, type Command } from "../command.ts";
import { followed, line } from "../feed.ts";

export const tail: Command = {
  summary: "Prints events as they happen, until Ctrl-C.",
  usage:
    "[--types <type,type>] [--filters <json>] [--after <sequence> | --consumer <name>] [--limit <n>] [--json]",
  options: {
    ...feedOptions,
    limit: { value: "n", about: "end after so many events" },
    json: { about: "each event whole, as JSON on a line" },
  },
  async run(context) {
    const limit = number(context.values, "limit", Number.MAX_SAFE_INTEGER) ?? Infinity;
    let count = 0;
    if (limit === 0) return;
    for await (const event of followed(context)) {
      context.print(context.values["json"] ? JSON.stringify(event) : line(event));
      if (++count === limit) return;
    }
  },
};
