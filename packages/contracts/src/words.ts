import type { z } from "zod";

const types: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};
const typeName = (expected: string): string => types[expected] ?? expected;
/** Longer lists of choices are in the documentation. */
const maxChoices = 40;

/** What is wrong with a field, in words for whoever calls the API. A message that stands in the schema itself wins over these. */
export const wordsOf: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "is required";
      return `must be ${typeName(issue.format === undefined ? issue.expected : "int")}`;
    case "too_big":
      return sizeOf("at most", String(issue.maximum), issue.origin);
    case "too_small":
      if (Number(issue.minimum) === 1 && (issue.origin === "string" || issue.origin === "array"))
        return "may not be empty";
      return sizeOf("at least", String(issue.minimum), issue.origin);
    case "invalid_value":
      return issue.values.length > maxChoices
        ? "is none of the values that are taken"
        : `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values.map(String).join(", ")}`;
    case "invalid_format":
      return "does not have the form that is taken here";
    case "invalid_union": {
      const expected = issue.errors.flatMap(([first]) =>
        first?.code === "invalid_type" && first.path.length === 0 ? [typeName(first.expected)] : [],
      );
      return expected.length === issue.errors.length
        ? `must be ${[...new Set(expected)].join(" or ")}`
        : "has none of the forms that are taken here";
    }
    case "invalid_key":
      return "has a name that is not taken here";
    case "not_multiple_of":
      return `must be a multiple of ${issue.divisor}`;
    case "unrecognized_keys":
      return "this field does not exist";
    default:
      return "is not valid";
  }
};

function sizeOf(bound: string, limit: string, origin: string): string {
  const one = limit === "1";
  switch (origin) {
    case "string":
      return `must have ${bound} ${limit} ${one ? "character" : "characters"}`;
    case "array":
    case "set":
      return `must have ${bound} ${limit} ${one ? "item" : "items"}`;
    default:
      return `must be ${bound} ${limit}`;
  }
}
