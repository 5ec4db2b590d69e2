/**
 * Whether an SPDX expression can be met by these licences alone: one of those that `OR` joins, all of those that `AND` joins, which binds closer. An exception (`WITH …`) has to be
 * on the list with its licence. Anything that is no expression is not met.
 */
export function isMet(expression: string, allowed: ReadonlySet<string>): boolean {
  const words = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const next = (word: string): boolean => {
    if (words[at] !== word) return false;
    at += 1;
    return true;
  };
  function either(): boolean {
    let met = both();
    while (next("OR")) met = both() || met;
    return met;
  }
  function both(): boolean {
    let met = single();
    while (next("AND")) met = single() && met;
    return met;
  }
  function single(): boolean {
    if (next("(")) {
      const met = either();
      return next(")") && met;
    }
    const name = words[at++] ?? "";
    return allowed.has(next("WITH") ? `${name} WITH ${words[at++] ?? ""}` : name);
  }
  return either() && at === words.length;
}
