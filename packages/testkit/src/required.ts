const known = ["kafka", "browser"] as const;

/** Whether this run must not skip what needs this. A name that means nothing is refused: misspelt, the rule would be off without a word. */
export function required(what: (typeof known)[number]): boolean {
  const names = (process.env["HELIOGRAPH_TEST_REQUIRE"] ?? "").split(",").filter(Boolean);
  const unknown = names.filter((name) => !(known as readonly string[]).includes(name));
  if (unknown.length > 0)
    throw new Error(`HELIOGRAPH_TEST_REQUIRE: "${unknown.join()}" is not ${known.join(" or ")}`);
  return names.includes(what);
}
