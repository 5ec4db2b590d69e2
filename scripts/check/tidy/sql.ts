import { isTest, lineOf, walk, type Tree } from "./tree.ts";

/** SQL stands where somebody looks for it: with the tables it is about. Test doubles, fault runs and benchmarks may reach behind the product. */
const places = [
  /\/tables\//,
  /\/store\.ts$/,
  /^packages\/(log|testkit)\//,
  /^scripts\/(bench|faults)\//,
];

const statement =
  /^\s*(select\b[^;]*\b(from|pg_|set_config|current_|now\()|insert\s+into\b|update\s+\S+\s+(as\s+\S+\s+)?set\b|delete\s+from\b|with\s+\S+\s+as\s*\(|create\s+(or\s+replace\s+)?(unique\s+)?(unlogged\s+)?(table|schema|index|function|trigger|database|extension)\b|alter\s+(table|schema|database)\b|drop\s+(table|schema|index|database)\b|truncate\b)/i;

/** Statements of SQL in files that are not for them. */
export function checkSql(tree: Tree): readonly string[] {
  const broken: string[] = [];
  for (const { path, text, program } of tree.files) {
    if (isTest(path) || places.some((place) => place.test(path))) continue;
    walk(program, (node) => {
      const literal =
        node.type === "TemplateLiteral"
          ? text.slice(node.start + 1, node.end - 1)
          : node.type === "Literal" && typeof node["value"] === "string"
            ? node["value"]
            : "";
      if (statement.test(literal))
        broken.push(
          `${path}:${lineOf(text, node.start)}: SQL stands in tables/, store.ts and packages/log`,
        );
    });
  }
  return broken;
}
